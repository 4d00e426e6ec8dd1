//! Secrets that stand for something: pushed requests, pages shown, codes, refresh tokens (P48).
//!
//! The store keeps a secret's hash and, sealed, what it stands for: whoever reads the store finds neither a code to
//! redeem nor who allowed what to whom.

use std::sync::Arc;

use ring::digest::{SHA256, digest};

use super::Refusal;
use crate::chance::{self, Chance};
use crate::clock::{Clock, Timestamp};
use crate::id::{GrantId, PatientId};
use crate::ledger::NOBODY;
use crate::proof::base64url;
use crate::store::Store;
use crate::store::oauth::SecretRow;
use crate::vault::{Place, Reader, Sealer, Unwrapper};

/// What a secret stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A checked authorization request.
    Request,
    /// A page that was shown in a session.
    Page,
    /// An authorization code.
    Code,
    /// A refresh token.
    Refresh,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Page => "page",
            Self::Code => "code",
            Self::Refresh => "refresh",
        }
    }

    /// Bound into the seal, so that no kind passes for another.
    const fn number(self) -> i64 {
        match self {
            Self::Request => 1,
            Self::Page => 2,
            Self::Code => 3,
            Self::Refresh => 4,
        }
    }
}

/// What was found under a secret.
#[derive(Debug)]
pub(super) struct Voucher {
    hash: [u8; 32],
    /// The grant it belongs to.
    pub(super) family: Option<GrantId>,
    /// What it stands for.
    pub(super) body: String,
    /// Whether it was used up before.
    pub(super) used: bool,
    /// When it ends; it may be over.
    pub(super) expires: Timestamp,
}

/// Gives secrets out and takes them back.
pub struct Vouchers {
    /// Where hashes are kept.
    pub store: Store,
    /// Seals what they stand for.
    pub sealer: Sealer,
    /// Opens it.
    pub reader: Reader,
    /// Unwraps the key for what belongs to nobody.
    pub unwrapper: Unwrapper,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for secrets.
    pub chance: Arc<dyn Chance>,
}

impl Vouchers {
    /// Gives out a fresh secret that stands for `body` until `expires`.
    pub(super) async fn give(
        &self,
        kind: Kind,
        family: Option<GrantId>,
        body: &str,
        expires: Timestamp,
    ) -> Result<String, Refusal> {
        let unavailable = |_| Refusal::Unavailable;
        let secret = base64url::encode(&chance::bytes::<32>(&*self.chance).map_err(|_| Refusal::Unavailable)?);
        let hash = hash(&secret);
        let keys = self.unwrapper.keys(NOBODY).await.map_err(unavailable)?;
        let family = family.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
        // The family is sealed too: a code moved to another grant by whoever writes the store is no code.
        let text = [&[u8::try_from(family.len()).unwrap_or(0)][..], &family, body.as_bytes()].concat();
        let body = self.sealer.seal(&keys, &place(kind, &hash), &text).map_err(unavailable)?;
        let row = SecretRow { secret: hash, kind: kind.word(), family, body, expires, used: Timestamp(0) };
        self.store.keep_secret(&row, self.clock.now()).await.map_err(|_| Refusal::Unavailable)?;
        Ok(secret)
    }

    /// What `secret` stands for, used up or not; `None` when it was never given, is over, or was altered.
    pub(super) async fn find(&self, kind: Kind, secret: &str) -> Result<Option<Voucher>, Refusal> {
        // Secrets have one length; nothing else is looked for.
        if secret.len() != 43 {
            return Ok(None);
        }
        let hash = hash(secret);
        let found = self.store.secret(kind.word(), &hash).await.map_err(|_| Refusal::Unavailable)?;
        let Some(row) = found.filter(|row| self.clock.now() < row.expires) else { return Ok(None) };
        let keys = self.unwrapper.keys(NOBODY).await.map_err(|_| Refusal::Unavailable)?;
        let Ok(opened) = self.reader.open(&keys, &place(kind, &hash), &row.body) else {
            tracing::error!(target: "garant::security", kind = kind.word(), "a secret's row was altered");
            return Ok(None);
        };
        let parts = opened.split_first().and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)));
        let Some((family, body)) = parts else { return Ok(None) };
        let Ok(body) = std::str::from_utf8(body) else { return Ok(None) };
        Ok(Some(Voucher {
            hash,
            family: GrantId::from_slice(family),
            body: body.to_owned(),
            used: row.used != Timestamp(0),
            expires: row.expires,
        }))
    }

    /// Uses it up; `false` when anybody else did.
    pub(super) async fn spend(&self, voucher: &Voucher) -> Result<bool, Refusal> {
        self.store.spend_secret(&voucher.hash, self.clock.now()).await.map_err(|_| Refusal::Unavailable)
    }

    /// Lets it live until `until` at least, if it is not over yet.
    pub(super) async fn prolong(&self, voucher: &Voucher, until: Timestamp) -> Result<(), Refusal> {
        let now = self.clock.now();
        self.store.prolong_secret(&voucher.hash, until, now).await.map_err(|_| Refusal::Unavailable)
    }
}

fn place(kind: Kind, hash: &[u8; 32]) -> Place {
    let mut row = [0; 16];
    row.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    let patient: PatientId = NOBODY;
    Place::voucher(patient, row, kind.number())
}

fn hash(secret: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(digest(&SHA256, secret.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
    out
}
