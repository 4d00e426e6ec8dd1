//! Key-encryption keys and their epochs.

use ring::hmac;
use subtle::ConstantTimeEq;

use super::VaultError;
use super::bind::Binding;
use super::root::{DOES_NOT_OPEN, Root};
use super::wrap::{Key, SUITE};
use crate::chance::Chance;
use crate::clock::Timestamp;
use crate::db::{Arg, Db};

/// What the log may say of an epoch: enough to notice that its key was exchanged (security C10), nothing to use it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochMark {
    /// Number of the epoch.
    pub epoch: i64,
    /// Key check value.
    pub check: [u8; 32],
    /// Whether new keys are wrapped under it.
    pub current: bool,
}

/// One epoch's key. Boxed, so that moving it leaves no copy behind.
struct Kek {
    mark: EpochMark,
    key: Box<Key>,
}

/// The epochs in force, unwrapped.
pub(super) struct Epochs {
    current: Kek,
    old: Vec<Kek>,
}

impl Epochs {
    /// The epoch that new keys are wrapped under.
    pub(super) fn current(&self) -> (i64, &Key) {
        (self.current.mark.epoch, &self.current.key)
    }

    /// The key of `epoch`.
    pub(super) fn find(&self, epoch: i64) -> Option<&Key> {
        std::iter::once(&self.current).chain(&self.old).find(|kek| kek.mark.epoch == epoch).map(|kek| &*kek.key)
    }

    /// The marks of all epochs in force.
    pub(super) fn marks(&self) -> Vec<EpochMark> {
        std::iter::once(&self.current).chain(&self.old).map(|kek| kek.mark).collect()
    }

    /// Reads and unwraps all epochs, and compares their check values.
    pub(super) async fn load(db: &Db, root: &dyn Root, deployment: &str) -> Result<Self, VaultError> {
        const SQL: &str = "SELECT epoch, wrapped, check_value, state FROM epoch ORDER BY epoch";
        let rows = db
            .all("epoch", SQL, &[], |row| {
                Ok((row.int(0)?, row.bytes(1)?.to_vec(), row.array::<32>(2)?, row.text(3)? == "current"))
            })
            .await?;
        if rows.is_empty() {
            return Err(VaultError::Root("the keystore holds no epoch; `garant init` makes the first"));
        }
        let (mut current, mut old) = (None, Vec::new());
        for (epoch, wrapped, check, is_current) in rows {
            let key = Box::new(Key::read(&root.unwrap(binding(deployment, epoch)?.all(), &wrapped)?)?);
            if !bool::from(check_value(&key, deployment, epoch)?.ct_eq(&check)) {
                return Err(DOES_NOT_OPEN);
            }
            let kek = Kek { mark: EpochMark { epoch, check, current: is_current }, key };
            if !is_current {
                old.push(kek);
            } else if current.replace(kek).is_some() {
                return Err(VaultError::Root("the keystore has two current epochs"));
            }
        }
        let current = current.ok_or(VaultError::Root("the keystore has no current epoch"))?;
        Ok(Self { current, old })
    }
}

/// The statement that adds `epoch` as the current one, with a fresh key.
pub(super) fn insert(
    epoch: i64,
    root: &dyn Root,
    deployment: &str,
    chance: &dyn Chance,
    now: Timestamp,
) -> Result<(&'static str, Vec<Arg<'static>>, Box<Key>), VaultError> {
    const SQL: &str = "INSERT INTO epoch (epoch, wrapped, check_value, state, began_at, updated_by) \
                       VALUES ($1, $2, $3, 'current', $4, 'begin epoch')";
    let key = Box::new(Key::fresh(chance)?);
    let wrapped = root.wrap(binding(deployment, epoch)?.all(), &key.0)?;
    let check = check_value(&key, deployment, epoch)?;
    Ok((SQL, vec![epoch.into(), wrapped.into(), check.to_vec().into(), now.0.into()], key))
}

impl Epochs {
    /// The first epoch, before it is stored.
    pub(super) fn first(key: Box<Key>) -> Self {
        let mark = EpochMark { epoch: 1, check: [0; 32], current: true };
        Self { current: Kek { mark, key }, old: Vec::new() }
    }
}

fn binding(deployment: &str, epoch: i64) -> Result<Binding, VaultError> {
    Binding::new()
        .field(b"garant wrap key-encryption key")?
        .field(&[SUITE])?
        .field(deployment.as_bytes())?
        .field(&epoch.to_be_bytes())
}

fn check_value(key: &Key, deployment: &str, epoch: i64) -> Result<[u8; 32], VaultError> {
    let text =
        Binding::new().field(b"garant key check value")?.field(deployment.as_bytes())?.field(&epoch.to_be_bytes())?;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key.0), text.all());
    tag.as_ref().try_into().map_err(|_| VaultError::Refused)
}

#[cfg(test)]
impl Epochs {
    pub(super) fn dump(&self) -> Vec<[u8; 32]> {
        std::iter::once(&self.current).chain(&self.old).map(|kek| kek.key.0).collect()
    }
}
