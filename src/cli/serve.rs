//! `garant serve`.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::open::{Opening, Trouble};
use super::say;
use crate::app::serve::{listen, router};

/// Serves until it is told to end.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    opening: Opening,
    /// Address to listen on, instead of the one in garant.toml
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Trouble> {
    leave_no_core();
    let (house, chores) = args.opening.house().await?;
    let listening =
        listen(args.listen.unwrap_or(house.config.listen), router(&house)).await?.sharing(&house.config.doors);
    let address = listening.address().map_err(|e| Trouble::Io("the address".to_owned(), e))?;
    say(format_args!("Serving {} on http://{address} ({}).", house.config.base_url, house.store.engine()));
    if house.config.development {
        say("DEVELOPMENT MODE: the identity provider is built in and believes anyone. Never with real data.");
    }
    let (end, ending) = watch::channel(false);
    let serving = listening.serve(ending);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        () = serving.as_mut() => {}
        () = told_to_end() => {
            end.send_replace(true);
            serving.await;
        }
    }
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}

/// Keys are in this process's memory: it leaves no core file and lets no other process of its user look inside
/// (security C12).
fn leave_no_core() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if setrlimit(Resource::Core, none).is_err() || set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err() {
        tracing::warn!("core dumps could not be turned off");
    }
}

pub(super) async fn told_to_end() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
