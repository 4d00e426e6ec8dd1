//! A root key in a file, under a passphrase. For development and demonstrations: passphrase and file end up on the
//! machine that holds the database, so it is no barrier there (security K1).
//!
//! Shape, as JSON: `{"kdf":"argon2id","lanes":1,"memoryKib":65536,"passes":3,"salt":hex,"type":…,"wrapped":hex}`.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};

use super::bind::Binding;
use super::root::{DOES_NOT_OPEN, Root};
use super::wrap::{self, Key};
use super::{VaultError, hex};
use crate::chance::{self, Chance};
use crate::json::{self, Limits, Node};
use crate::secret::Secret;

const TYPE: &str = "garant-root-1";
const CANNOT_READ: VaultError = VaultError::Root("the root key file cannot be read");
const CANNOT_WRITE: VaultError = VaultError::Root("the root key file cannot be written; it must not exist yet");
const DAMAGED: VaultError = VaultError::Root("the root key file is damaged");
const OPEN_TO_OTHERS: VaultError = VaultError::Root("the root key file is open to others; its mode must be 0600");
const WRONG: VaultError = VaultError::Root("the passphrase is wrong, or the root key file was changed");
const TOO_SHORT: VaultError = VaultError::Root("the passphrase is too short; 12 characters at least");

/// A root key in a file.
pub struct FileRoot {
    key: Box<Key>,
    chance: Arc<dyn Chance>,
}

/// The cost of a guess at the passphrase, recorded so that it can be raised later.
#[derive(Clone, Copy)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// RFC 9106 §4, the second recommended option.
    const NOW: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

    /// Refuses a file that asks for a cheap derivation, or for one that would take the machine down.
    fn check(self) -> Result<Self, VaultError> {
        let fair = (64 * 1024..=1024 * 1024).contains(&self.memory_kib)
            && (3..=16).contains(&self.passes)
            && (1..=16).contains(&self.lanes);
        if fair { Ok(self) } else { Err(DAMAGED) }
    }

    fn derive(self, passphrase: &Secret<String>, salt: &[u8]) -> Result<Box<Key>, VaultError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(|_| DAMAGED)?;
        let mut key = Box::new(Key([0; 32]));
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), salt, &mut key.0)
            .map_err(|_| DAMAGED)?;
        Ok(key)
    }

    fn binding(self, salt: &[u8]) -> Result<Binding, VaultError> {
        Binding::new()
            .field(b"garant wrap root key")?
            .field(&self.memory_kib.to_be_bytes())?
            .field(&self.passes.to_be_bytes())?
            .field(&self.lanes.to_be_bytes())?
            .field(salt)
    }
}

impl FileRoot {
    /// Draws a root key and writes it to `path`, which must not exist; mode 0600.
    ///
    /// # Errors
    /// [`VaultError::Root`] with the reason.
    pub fn create(path: &Path, passphrase: &Secret<String>, chance: Arc<dyn Chance>) -> Result<Self, VaultError> {
        if passphrase.expose().chars().count() < 12 {
            return Err(TOO_SHORT);
        }
        let cost = Cost::NOW;
        let salt = chance::bytes::<16>(&*chance)?;
        let key = Box::new(Key::fresh(&*chance)?);
        let wrapped = wrap::wrap(&*cost.derive(passphrase, &salt)?, &cost.binding(&salt)?, &key.0, &*chance)?;
        let text = format!(
            "{{\"kdf\":\"argon2id\",\"lanes\":{},\"memoryKib\":{},\"passes\":{},\"salt\":\"{}\",\"type\":\"{TYPE}\",\
             \"wrapped\":\"{}\"}}\n",
            cost.lanes,
            cost.memory_kib,
            cost.passes,
            hex::write(&salt),
            hex::write(&wrapped),
        );
        let fresh = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(|_| CANNOT_WRITE)?;
        // A keystore whose root key did not reach the disk is lost at the next power cut.
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|_| CANNOT_WRITE)?;
        // Whole or not at all, and never in the place of another root key: a link does not replace.
        std::fs::hard_link(&fresh, path).and_then(|()| std::fs::remove_file(&fresh)).map_err(|_| CANNOT_WRITE)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(|_| CANNOT_WRITE)?;
        }
        Ok(Self { key, chance })
    }

    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`VaultError::Root`] with the reason; a wrong passphrase and a changed file give the same one.
    pub fn open(path: &Path, passphrase: &Secret<String>, chance: Arc<dyn Chance>) -> Result<Self, VaultError> {
        let file = File::open(path).map_err(|_| CANNOT_READ)?;
        if file.metadata().map_err(|_| CANNOT_READ)?.permissions().mode() & 0o077 != 0 {
            return Err(OPEN_TO_OTHERS);
        }
        let mut text = Vec::new();
        file.take(8 * 1024).read_to_end(&mut text).map_err(|_| CANNOT_READ)?;
        let tree = json::parse(&text, Limits::TOKEN).map_err(|_| DAMAGED)?;
        if tree.text_of("type") != Some(TYPE) || tree.text_of("kdf") != Some("argon2id") {
            return Err(DAMAGED);
        }
        let cost = Cost {
            memory_kib: number(&tree, "memoryKib")?,
            passes: number(&tree, "passes")?,
            lanes: number(&tree, "lanes")?,
        }
        .check()?;
        let salt = tree.text_of("salt").and_then(hex::read).filter(|salt| salt.len() == 16).ok_or(DAMAGED)?;
        let wrapped = tree.text_of("wrapped").and_then(hex::read).ok_or(DAMAGED)?;
        let guard = cost.derive(passphrase, &salt)?;
        let secret = wrap::unwrap(&guard, &cost.binding(&salt)?, &wrapped).map_err(|_| WRONG)?;
        Ok(Self { key: Box::new(Key::read(&secret).map_err(|_| WRONG)?), chance })
    }
}

fn number(tree: &Node<'_>, name: &str) -> Result<u32, VaultError> {
    tree.int_of(name).and_then(|n| u32::try_from(n).ok()).ok_or(DAMAGED)
}

impl Root for FileRoot {
    fn wrap(&self, aad: &[u8], secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        wrap::wrap(&self.key, &Binding::new().field(aad)?, secret, &*self.chance)
    }

    fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        wrap::unwrap(&self.key, &Binding::new().field(aad)?, wrapped).map_err(|_| DOES_NOT_OPEN)
    }

    fn kind(&self) -> &'static str {
        "passphrase file"
    }

    fn production_safe(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SystemChance;

    fn passphrase(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn reason(result: &Result<FileRoot, VaultError>) -> &'static str {
        match result {
            Err(VaultError::Root(reason)) => reason,
            Err(_) => "another error",
            Ok(_) => "opened",
        }
    }

    #[test]
    fn a_root_file_opens_with_its_passphrase_only_and_says_so_clearly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.json");
        let chance: Arc<dyn Chance> = Arc::new(SystemChance::new());
        let good = passphrase("correct horse battery");
        let made = FileRoot::create(&path, &good, Arc::clone(&chance)).unwrap();
        assert!(!made.production_safe());
        let wrapped = made.wrap(b"here", b"secret").unwrap();
        let opened = FileRoot::open(&path, &good, Arc::clone(&chance)).unwrap();
        assert_eq!(opened.unwrap(b"here", &wrapped).unwrap().expose(), b"secret");
        assert!(opened.unwrap(b"there", &wrapped).is_err());

        let wrong = FileRoot::open(&path, &passphrase("correct horse batterz"), Arc::clone(&chance));
        assert_eq!(reason(&wrong), "the passphrase is wrong, or the root key file was changed");
        assert!(reason(&FileRoot::create(&path, &good, Arc::clone(&chance))).contains("must not exist"));
        assert!(reason(&FileRoot::create(&path, &passphrase("short"), Arc::clone(&chance))).contains("too short"));

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(reason(&FileRoot::open(&path, &good, chance)).contains("0600"));
    }

    #[test]
    fn a_changed_root_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.json");
        let chance: Arc<dyn Chance> = Arc::new(SystemChance::new());
        let good = passphrase("correct horse battery");
        FileRoot::create(&path, &good, Arc::clone(&chance)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("65536", "65537"),
            ("65536", "1024"),
            ("\"passes\":3", "\"passes\":1"),
            ("argon2id", "argon2d"),
            ("}", ""),
        ] {
            assert!(text.contains(from));
            std::fs::write(&path, text.replace(from, to)).unwrap();
            assert_ne!(reason(&FileRoot::open(&path, &good, Arc::clone(&chance))), "opened", "{from} -> {to}");
        }
    }
}
