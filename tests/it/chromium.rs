//! A real browser: headless Chromium, told what to do over the DevTools protocol through a pipe.
//!
//! Clicks and keys are those of a person (trusted events at a place on the screen), so whatever a browser refuses,
//! as a form that a policy does not let go anywhere, is refused here too.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long a page may take on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running Chromium with one tab; it ends with the test.
pub struct Chromium {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    tab: String,
    calls: u64,
    /// What the page or the browser complained of.
    pub complaints: Vec<String>,
    _child: Child,
    _profile: TempDir,
}

/// Where the browser is; says why when there is none.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("GARANT_TEST_CHROMIUM").map(PathBuf::from);
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    let found = named.into_iter().chain(usual).find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: no Chromium (GARANT_TEST_CHROMIUM names one)");
    }
    found
}

impl Chromium {
    /// Starts one that prefers `language`; `None` where none is installed.
    pub async fn start(language: &str) -> Option<Self> {
        let program = program()?;
        let profile = tempfile::tempdir().unwrap();
        // The protocol is spoken on descriptors 3 and 4, which the shell makes of ours.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh"])
            .arg(program)
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars"])
            .arg(format!("--accept-lang={language}"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("no shell");
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser =
            Self { to, from, tab: String::new(), calls: 0, complaints: Vec::new(), _child: child, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await;
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.tab);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Audits.enable"] {
            browser.call(domain, json!({})).await;
        }
        browser.wide(1280).await;
        Some(browser)
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut asked = json!({ "id": self.calls, "method": method, "params": params });
        if !self.tab.is_empty() {
            asked["sessionId"] = json!(self.tab);
        }
        self.to.write_all(format!("{asked}\0").as_bytes()).await.unwrap();
        loop {
            let mut line = Vec::new();
            let read = tokio::time::timeout(PATIENCE, self.from.read_until(0, &mut line)).await;
            assert!(read.expect("the browser hangs").unwrap() > 0, "the browser ended");
            let said: Value = serde_json::from_slice(line.strip_suffix(b"\0").unwrap_or(&line)).unwrap();
            if said["id"] == self.calls {
                assert!(said.get("error").is_none(), "{method}: {said}");
                return said["result"].clone();
            }
            if matches!(
                said["method"].as_str(),
                Some("Log.entryAdded" | "Audits.issueAdded" | "Runtime.exceptionThrown")
            ) {
                self.complaints.push(said["params"].to_string());
            }
        }
    }

    /// What `script` comes to on the page; null while there is no page.
    pub async fn look(&mut self, script: &str) -> Value {
        let asked = json!({ "expression": script, "returnByValue": true });
        self.call("Runtime.evaluate", asked).await["result"]["value"].clone()
    }

    /// Waits until `script` is true on the page.
    pub async fn until(&mut self, script: &str) {
        let whole = format!("document.readyState === 'complete' && ({script})");
        let started = std::time::Instant::now();
        while self.look(&whole).await != true {
            let page = self.look("location.href + '\\n' + document.body?.innerText").await;
            assert!(started.elapsed() < PATIENCE, "never: {script}\n{page}\n{:?}", self.complaints);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Goes to `url`, as by the address bar.
    pub async fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url })).await;
        self.until("location.href !== 'about:blank'").await;
    }

    /// Where it is.
    pub async fn at(&mut self) -> url::Url {
        url::Url::parse(self.look("location.href").await.as_str().unwrap()).unwrap()
    }

    /// Clicks the first visible element of `selector` whose text holds `words`.
    pub async fn click(&mut self, selector: &str, words: &str) {
        let find = format!(
            "(() => {{ const e = [...document.querySelectorAll({})].find(e => e.innerText.includes({}) && \
             e.getClientRects().length); if (!e) return null; e.scrollIntoView({{block: 'center'}}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(selector),
            json!(words)
        );
        self.until(&format!("{find} !== null")).await;
        let place = self.look(&find).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Types `text` into the field of `selector`, in the place of what stands there.
    pub async fn fill(&mut self, selector: &str, text: &str) {
        let focus =
            format!("(e => {{ e.focus(); e.select(); return true; }})(document.querySelector({}))", json!(selector));
        assert_eq!(self.look(&focus).await, true, "no {selector}");
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// Makes the window so many CSS pixels wide.
    pub async fn wide(&mut self, width: u32) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// How many CSS pixels of the page stand out to the right of a window of `width`: 0 where people need not scroll
    /// sideways (WCAG 2.1, 1.4.10). With `GARANT_PICTURES` set, the page is kept there as `name-width.png`.
    pub async fn overhang(&mut self, name: &str, width: u32) -> i64 {
        self.wide(width).await;
        let over = self.look("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        if let Some(folder) = std::env::var_os("GARANT_PICTURES") {
            let taken =
                self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true })).await;
            let png = base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(PathBuf::from(folder).join(format!("{name}-{width}.png")), png).unwrap();
        }
        over.as_i64().unwrap()
    }
}
