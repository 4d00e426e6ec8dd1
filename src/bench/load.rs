//! The load: connections that are kept, each with one request under way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Trouble;
use crate::clock::Stopwatch;

/// One kept connection.
pub(super) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
    body: std::ops::Range<usize>,
}

/// What is asked: the parts of the request around the record's id.
#[derive(Clone)]
pub(super) struct Aim {
    pub(super) address: SocketAddr,
    pub(super) head: Arc<str>,
    pub(super) ids: Arc<[String]>,
    pub(super) tail: Arc<str>,
}

/// What one measurement came to.
#[derive(Default)]
pub(super) struct Tally {
    /// Microseconds of each request, unsorted.
    pub(super) micros: Vec<u32>,
    /// Answers other than 200.
    pub(super) refused: u64,
}

impl Line {
    pub(super) async fn to(address: SocketAddr) -> Result<Self, Trouble> {
        let stream = TcpStream::connect(address).await.map_err(|e| Trouble::Io("a connection", e))?;
        stream.set_nodelay(true).map_err(|e| Trouble::Io("a connection", e))?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024), body: 0..0 })
    }

    /// Sends one request, reads its whole answer, and gives the status.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<u16, Trouble> {
        let failed = |e| Trouble::Io("a connection", e);
        self.stream.write_all(request).await.map_err(failed)?;
        self.buffer.clear();
        let mut need = None;
        loop {
            if self.stream.read_buf(&mut self.buffer).await.map_err(failed)? == 0 {
                return Err(Trouble::Server("it closed a connection".to_owned()));
            }
            if need.is_none() {
                need = heads_end(&self.buffer);
            }
            if let Some((start, length)) = need
                && self.buffer.len() >= start + length
            {
                self.body = start..start + length;
                let status = self.buffer.get(9..12).and_then(|s| std::str::from_utf8(s).ok()?.parse().ok());
                return status.ok_or_else(|| Trouble::Server("no status line".to_owned()));
            }
        }
    }

    /// The body of the last answer.
    pub(super) fn body(&self) -> String {
        String::from_utf8_lossy(self.buffer.get(self.body.clone()).unwrap_or_default()).into_owned()
    }
}

/// Where the body starts and how long it is.
fn heads_end(bytes: &[u8]) -> Option<(usize, usize)> {
    const LENGTH: &[u8] = b"content-length: ";
    let start = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = bytes.get(..start)?;
    let at = head.windows(LENGTH.len()).position(|w| w.eq_ignore_ascii_case(LENGTH))? + LENGTH.len();
    let digits = head.get(at..)?.iter().take_while(|b| b.is_ascii_digit());
    Some((start, digits.fold(0, |n, d| n * 10 + usize::from(d - b'0'))))
}

/// Asks over `connections` connections for as long as `each`, each beginning elsewhere.
pub(super) async fn press(aim: &Aim, connections: usize, each: Duration) -> Result<Tally, Trouble> {
    let mut asking = JoinSet::new();
    let watch = Stopwatch::start();
    for number in 0..connections {
        let aim = aim.clone();
        asking.spawn(async move { one(&aim, number, watch, each).await });
    }
    let mut all = Tally::default();
    while let Some(done) = asking.join_next().await {
        let tally = done.map_err(|e| Trouble::Server(e.to_string()))??;
        all.micros.extend(tally.micros);
        all.refused += tally.refused;
    }
    Ok(all)
}

async fn one(aim: &Aim, number: usize, watch: Stopwatch, each: Duration) -> Result<Tally, Trouble> {
    let mut line = Line::to(aim.address).await?;
    let mut tally = Tally::default();
    let mut request = Vec::with_capacity(2048);
    // A full cycle over the records from another place for each connection (Knuth's multiplier; any odd one would do).
    let mut next = number.wrapping_mul(2_654_435_761);
    while watch.elapsed() < each {
        next = next.wrapping_add(0x9e37_79b1);
        let id = aim.ids.get(next % aim.ids.len().max(1)).map_or("", String::as_str);
        request.clear();
        for part in [&aim.head, id, &aim.tail] {
            request.extend_from_slice(part.as_bytes());
        }
        let asked = Stopwatch::start();
        if line.ask(&request).await? != 200 {
            tally.refused += 1;
        }
        tally.micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_measured_by_its_head_and_only_when_the_head_is_whole() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nx: y\r\n\r\nabc";
        assert_eq!(heads_end(answer), Some((answer.len() - 3, 12)));
        assert_eq!(heads_end(&answer[..answer.len() - 4]), None);
    }
}
