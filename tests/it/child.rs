//! This binary as a house in a process of its own, for the deeds that no route of the server offers.

use std::io::BufRead as _;
use std::sync::Arc;

use garant::app::serve::{listen, router};
use garant::app::{House, Means};
use garant::chance::SystemChance;
use garant::clock::SystemClock;
use garant::config::Config;
use garant::secret::Secret;

use crate::cast;
use crate::house::PASSPHRASE;

/// Obeys `revoke PATIENT CONSENT`, `admit PATIENT TEXT` and `end`, and serves HTTP meanwhile.
#[test]
#[ignore = "run by other tests, as a process of its own"]
fn a_house_that_obeys() {
    let Ok(folder) = std::env::var("GARANT_IT_CHILD") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = std::path::PathBuf::from(folder);
        let means = Means {
            config: Config::load(&folder).unwrap(),
            folder,
            passphrase: Secret::new(PASSPHRASE.to_owned()),
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance::new()),
        };
        let (house, _chores) = match House::open(means).await {
            Ok(open) => open,
            Err(cannot) => {
                println!("\n» cannot {cannot}");
                return;
            }
        };
        let listening = listen(([127, 0, 0, 1], 0).into(), router(&house)).await.unwrap();
        println!("\nServing on http://{}", listening.address().unwrap());
        let (_end, ending) = tokio::sync::watch::channel(false);
        tokio::spawn(listening.serve(ending));
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                drop(tell.send(line));
            }
        });
        while let Some(line) = told.recv().await.filter(|line| line != "end") {
            println!("» {}", obey(&house, &line).await);
        }
    });
}

async fn obey(house: &Arc<House>, line: &str) -> String {
    let words: Vec<&str> = line.splitn(3, ' ').collect();
    match words.as_slice() {
        ["revoke", patient, consent] => {
            match cast::revoke(house, patient.parse().unwrap(), consent.parse().unwrap()).await {
                Some(leaf) => format!("revoked {leaf}"),
                None => "not revoked".to_owned(),
            }
        }
        ["admit", patient, text] => {
            let resource = cast::observation(patient.parse().unwrap(), text);
            match house.intake.import(resource.into_bytes()).await {
                Ok(Some(imported)) => format!("admitted {}", imported.leaf),
                Ok(None) => "known".to_owned(),
                Err(rejected) => format!("rejected {rejected}"),
            }
        }
        _ => "what?".to_owned(),
    }
}
