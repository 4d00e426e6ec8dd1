//! A browser without a screen: keeps cookies by host as browsers do, sends forms, goes where it is sent.

use std::collections::BTreeMap;

use url::Url;

use crate::wire::{self, Answer};

/// A browser.
#[derive(Clone, Default)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
    /// All that was asked and answered.
    pub seen: Vec<(String, Url, Answer)>,
}

/// A page and where it is.
pub struct Page {
    pub at: Url,
    pub answer: Answer,
}

/// A form on a page.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: Url,
    pub fields: Vec<(String, String)>,
    /// All the form's text, to find the right one.
    pub text: String,
}

impl Browser {
    /// One request, no redirect followed.
    pub async fn once(&mut self, method: &str, url: &Url, fields: Option<&[(String, String)]>) -> Answer {
        let to = url.socket_addrs(|| None).unwrap().into_iter().find(std::net::SocketAddr::is_ipv4).unwrap();
        let mut lines = Vec::new();
        if !self.cookies.is_empty() {
            let all: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            lines.push(format!("Cookie: {}", all.join("; ")));
        }
        let body = fields.map(|fields| {
            lines.push("Content-Type: application/x-www-form-urlencoded".to_owned());
            lines.push("Origin: null".to_owned());
            lines.push("Sec-Fetch-Site: same-origin".to_owned());
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
        });
        lines.push("Accept: text/html".to_owned());
        let mut path = url.path().to_owned();
        if let Some(query) = url.query() {
            path += "?";
            path += query;
        }
        let bytes = wire::request(method, &path, &lines, body.unwrap_or_default().as_bytes());
        let host = format!("Host: {}:{}", url.host_str().unwrap(), url.port().unwrap());
        let text = String::from_utf8(bytes).unwrap().replacen("Host: 127.0.0.1", &host, 1);
        let answer = wire::send(to, text.as_bytes()).await.unwrap_or_else(|| panic!("no answer from {url}"));
        for (name, value) in &answer.headers {
            if name.eq_ignore_ascii_case("set-cookie") {
                let (name, rest) = value.split_once('=').unwrap();
                let value = rest.split(';').next().unwrap();
                if value.is_empty() || rest.contains("Max-Age=0") || rest.contains("1970") {
                    self.cookies.remove(name);
                } else {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        self.seen.push((method.to_owned(), url.clone(), answer.clone()));
        answer
    }

    /// Follows redirects from `url` to a page, or to the first place that `stop` begins.
    pub async fn go_until(&mut self, url: &str, stop: Option<&str>) -> Page {
        let at = Url::parse(url).unwrap();
        let answer = self.once("GET", &at, None).await;
        self.follow(at, answer, stop).await
    }

    /// Follows redirects from `url` to a page.
    pub async fn go(&mut self, url: &str) -> Page {
        self.go_until(url, None).await
    }

    /// Sends a form and follows redirects.
    pub async fn send(&mut self, form: &Form) -> Page {
        self.send_until(form, None).await
    }

    /// Sends a form and follows redirects, but not to `stop`.
    pub async fn send_until(&mut self, form: &Form, stop: Option<&str>) -> Page {
        let answer = self.once("POST", &form.action, Some(&form.fields)).await;
        self.follow(form.action.clone(), answer, stop).await
    }

    async fn follow(&mut self, mut at: Url, mut answer: Answer, stop: Option<&str>) -> Page {
        for _ in 0..12 {
            let on = match answer.status {
                302 | 303 => answer.header("location").map(str::to_owned),
                _ => answer.text().split("<meta ").find_map(|meta| {
                    let content = attribute(&format!(" {}", meta.split('>').next()?), "content")?;
                    Some(content.strip_prefix("0;url=")?.to_owned())
                }),
            };
            let Some(on) = on else { return Page { at, answer } };
            let next = at.join(&on).unwrap();
            if stop.is_some_and(|stop| next.as_str().starts_with(stop)) {
                return Page { at: next, answer };
            }
            at = next;
            answer = self.once("GET", &at, None).await;
        }
        panic!("sent in circles, at last to {at}");
    }
}

impl Page {
    /// The forms of the page.
    pub fn forms(&self) -> Vec<Form> {
        let html = self.answer.text();
        let mut found = Vec::new();
        for text in html.split("<form").skip(1) {
            let text = text.split("</form>").next().unwrap();
            let head = text.split('>').next().unwrap();
            let action = attribute(head, "action").unwrap_or_default();
            let fields = text
                .split("<input")
                .skip(1)
                .filter_map(|input| {
                    let input = input.split('>').next().unwrap();
                    Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()))
                })
                .collect();
            found.push(Form { action: self.at.join(&action).unwrap(), fields, text: text.to_owned() });
        }
        found
    }

    /// The first form whose text has `words`.
    pub fn form(&self, words: &str) -> Form {
        let found = self.forms().into_iter().find(|form| form.text.contains(words));
        found.unwrap_or_else(|| panic!("no form with {words:?} at {}: {}", self.at, self.answer.text()))
    }
}

impl Form {
    /// With a field filled in.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(n, _)| n != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
    let text = rest.split('"').next()?;
    let plain = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    Some(plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)))
}
