//! A TCP proxy that delays what passes, so that windows of a few microseconds become as wide as in real networks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A running proxy; it ends with the runtime.
#[derive(Clone)]
pub struct Proxy {
    pub address: SocketAddr,
    delay: Arc<AtomicU64>,
    cut: Arc<AtomicBool>,
}

impl Proxy {
    pub async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Self { address, delay: Arc::default(), cut: Arc::default() };
        let own = proxy.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(target).await else { continue };
                drop((near.set_nodelay(true), far.set_nodelay(true)));
                let ((from, to), (back, forth)) = (near.into_split(), far.into_split());
                tokio::spawn(own.clone().pass(from, forth));
                tokio::spawn(own.clone().pass(back, to));
            }
        });
        proxy
    }

    /// Milliseconds that each piece waits in each direction.
    pub fn set_delay(&self, milliseconds: u64) {
        self.delay.store(milliseconds, Ordering::SeqCst);
    }

    /// Breaks every connection at its next piece, and each new one, until it is mended.
    pub fn cut(&self, broken: bool) {
        self.cut.store(broken, Ordering::SeqCst);
    }

    async fn pass(self, mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(n) = from.read(&mut bytes).await {
            let delay = self.delay.load(Ordering::SeqCst);
            if delay > 0 {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            if n == 0 || self.cut.load(Ordering::SeqCst) || to.write_all(&bytes[..n]).await.is_err() {
                return;
            }
        }
    }
}
