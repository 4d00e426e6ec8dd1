//! A root key inside a hardware token, through PKCS#11.
//!
//! The key is made in the token, is sensitive and cannot be extracted; wrapping is AES-256-GCM inside the token with
//! the place as additional data. Shape of what it wraps: `suite 1 | iv 12 | ciphertext | tag 16`.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use subtle::ConstantTimeEq;

use super::VaultError;
use super::root::{DOES_NOT_OPEN, Root};
use super::wrap::{SUITE, TAG};
use crate::secret::Secret;

const IV: usize = 12;
const NO_MODULE: VaultError = VaultError::Root("the PKCS#11 module cannot be loaded");
const NO_TOKEN: VaultError = VaultError::Root("no token with this label, or two of them");
const NO_LOGIN: VaultError = VaultError::Root("the token refuses the login; check its pin");
const NO_KEY: VaultError = VaultError::Root("the token holds no root key with this label");
const TWO_KEYS: VaultError = VaultError::Root("the token holds two root keys with this label");
const WEAK_KEY: VaultError = VaultError::Root("the token's root key is not AES-256, or could be read out of the token");
const NOT_MADE: VaultError = VaultError::Root("the token could not make the root key");
const NOT_WRAPPED: VaultError = VaultError::Root("the token could not wrap under the root key");

/// Where the root key is.
pub struct HsmSettings {
    /// The vendor's PKCS#11 library.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// Label of the key in the token.
    pub key: String,
    /// The user pin.
    pub pin: Secret<String>,
    /// Whether a missing key is made (only `init` asks for that).
    pub create: bool,
}

/// A root key in a token.
pub struct HsmRoot {
    settings: HsmSettings,
    context: Pkcs11,
    open: Mutex<Option<(Session, ObjectHandle)>>,
}

impl HsmRoot {
    /// Opens the token and finds the root key, or makes it when the settings say so.
    ///
    /// # Errors
    /// [`VaultError::Root`] with the reason.
    pub fn open(settings: HsmSettings) -> Result<Self, VaultError> {
        let context = Pkcs11::new(&settings.module).map_err(|_| NO_MODULE)?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another root in this process may use the same library.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(_) => return Err(NO_MODULE),
        }
        let root = Self { settings, context, open: Mutex::new(None) };
        let login = root.login()?;
        *root.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(login);
        Ok(root)
    }

    fn slot(&self) -> Result<Slot, VaultError> {
        let mut found = None;
        for slot in self.context.get_slots_with_token().map_err(|_| NO_TOKEN)? {
            let here = self.context.get_token_info(slot).is_ok_and(|token| token.label() == self.settings.token);
            if here && found.replace(slot).is_some() {
                return Err(NO_TOKEN);
            }
        }
        found.ok_or(NO_TOKEN)
    }

    fn login(&self) -> Result<(Session, ObjectHandle), VaultError> {
        let session = self.context.open_rw_session(self.slot()?).map_err(|_| NO_TOKEN)?;
        let pin = AuthPin::new(self.settings.pin.expose().as_str().into());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(_) => return Err(NO_LOGIN),
        }
        let key = self.find_or_make(&session)?;
        check_key(&session, key)?;
        Ok((session, key))
    }

    fn find_or_make(&self, session: &Session) -> Result<ObjectHandle, VaultError> {
        let label = Attribute::Label(self.settings.key.as_bytes().to_vec());
        let wanted = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Token(true), label.clone()];
        let found = session.find_objects(&wanted).map_err(|_| NO_KEY)?;
        match (found.as_slice(), self.settings.create) {
            ([key], _) => Ok(*key),
            ([], true) => {
                let template = [
                    label,
                    Attribute::ValueLen(32.into()),
                    Attribute::Token(true),
                    Attribute::Private(true),
                    Attribute::Sensitive(true),
                    Attribute::Extractable(false),
                    Attribute::Modifiable(false),
                    Attribute::Encrypt(true),
                    Attribute::Decrypt(true),
                ];
                session.generate_key(&Mechanism::AesKeyGen, &template).map_err(|_| NOT_MADE)
            }
            ([], false) => Err(NO_KEY),
            _ => Err(TWO_KEYS),
        }
    }

    /// Does `deed` in the open session; when it fails, logs in anew and tries once more (tokens drop sessions when
    /// they are reset or pulled).
    fn attempt<T>(&self, deed: impl Fn(&Session, ObjectHandle) -> Result<T, Error>) -> Result<Option<T>, VaultError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((session, key)) = &*open
            && let Ok(done) = deed(session, *key)
        {
            return Ok(Some(done));
        }
        *open = None;
        let (session, key) = self.login()?;
        let done = deed(&session, key).ok();
        *open = Some((session, key));
        Ok(done)
    }
}

/// Refuses a key that was planted: one that is or was readable, or too short.
fn check_key(session: &Session, key: ObjectHandle) -> Result<(), VaultError> {
    let asked = [
        AttributeType::KeyType,
        AttributeType::ValueLen,
        AttributeType::AlwaysSensitive,
        AttributeType::NeverExtractable,
    ];
    let told = session.get_attributes(key, &asked).map_err(|_| WEAK_KEY)?;
    let wanted = [
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(32.into()),
        Attribute::AlwaysSensitive(true),
        Attribute::NeverExtractable(true),
    ];
    if wanted.iter().all(|attribute| told.contains(attribute)) { Ok(()) } else { Err(WEAK_KEY) }
}

fn decrypt(session: &Session, key: ObjectHandle, iv: &[u8; IV], aad: &[u8], body: &[u8]) -> Result<Vec<u8>, Error> {
    let mut iv = *iv;
    session.decrypt(&Mechanism::AesGcm(GcmParams::new(&mut iv, aad, 128.into())?), key, body)
}

impl Root for HsmRoot {
    fn wrap(&self, aad: &[u8], secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        let wrapped = self.attempt(|session, key| {
            let mut iv = [0; IV];
            session.generate_random_slice(&mut iv)?;
            // Vendors differ: some use this IV, some draw their own and write it back here (security K1).
            let body = session.encrypt(&Mechanism::AesGcm(GcmParams::new(&mut iv, aad, 128.into())?), key, secret)?;
            let again = Secret::new(decrypt(session, key, &iv, aad, &body)?);
            let same = body.len() == secret.len() + TAG && bool::from(again.expose().ct_eq(secret));
            Ok(same.then(|| [&[SUITE], iv.as_slice(), &body].concat()))
        })?;
        wrapped.flatten().ok_or(NOT_WRAPPED)
    }

    fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        let (suite, rest) = wrapped.split_first().ok_or(DOES_NOT_OPEN)?;
        let (iv, body) = rest.split_first_chunk::<IV>().ok_or(DOES_NOT_OPEN)?;
        if *suite != SUITE {
            return Err(DOES_NOT_OPEN);
        }
        let opened = self.attempt(|session, key| decrypt(session, key, iv, aad, body).map(Secret::new))?;
        opened.ok_or(DOES_NOT_OPEN)
    }

    fn kind(&self) -> &'static str {
        "PKCS#11 token"
    }

    fn production_safe(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

    fn settings(pin: &str, create: bool) -> HsmSettings {
        HsmSettings {
            module: MODULE.into(),
            token: "garant".to_owned(),
            key: "garant root".to_owned(),
            pin: Secret::new(pin.to_owned()),
            create,
        }
    }

    fn reason(result: &Result<HsmRoot, VaultError>) -> &'static str {
        match result {
            Err(VaultError::Root(reason)) => reason,
            Err(_) => "another error",
            Ok(_) => "opened",
        }
    }

    /// The library reads SOFTHSM2_CONF from its process, so a process of its own gets a private one.
    #[test]
    fn a_token_wraps_for_one_place_and_never_gives_its_key() {
        if !Path::new(MODULE).exists() {
            println!("skipped: {MODULE} is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        std::fs::create_dir(&tokens).unwrap();
        let config = folder.path().join("softhsm2.conf");
        std::fs::write(&config, format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display())).unwrap();
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", "garant", "--so-pin", "12345678", "--pin", "87654321"])
            .env("SOFTHSM2_CONF", &config)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "vault::root_hsm::tests::in_a_process_of_its_own", "--ignored", "--nocapture"])
            .env("SOFTHSM2_CONF", &config)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && told.contains("1 passed"), "{told}");
    }

    #[test]
    #[ignore = "started by the test above, with a token of its own"]
    fn in_a_process_of_its_own() {
        assert!(reason(&HsmRoot::open(settings("87654321", false))).contains("holds no root key"));
        let root = HsmRoot::open(settings("87654321", true)).unwrap();
        assert!(root.production_safe());
        let wrapped = root.wrap(b"here", &[7; 32]).unwrap();
        assert_eq!(root.unwrap(b"here", &wrapped).unwrap().expose(), &[7; 32]);
        assert!(root.unwrap(b"there", &wrapped).is_err());
        for at in 0..wrapped.len() {
            let mut bad = wrapped.clone();
            bad[at] ^= 1;
            assert!(root.unwrap(b"here", &bad).is_err(), "byte {at}");
        }
        assert_ne!(root.wrap(b"here", &[7; 32]).unwrap(), wrapped);

        // The session is lost, as after a token reset: the next use logs in again.
        let lost = root.open.lock().unwrap().take().unwrap();
        lost.0.logout().unwrap();
        assert_eq!(root.unwrap(b"here", &wrapped).unwrap().expose(), &[7; 32]);
        {
            let open = root.open.lock().unwrap();
            open.as_ref().unwrap().0.logout().unwrap();
        }
        assert_eq!(root.unwrap(b"here", &wrapped).unwrap().expose(), &[7; 32]);
        {
            let open = root.open.lock().unwrap();
            let (session, key) = open.as_ref().unwrap();
            let value = session.get_attributes(*key, &[AttributeType::Value]).unwrap_or_default();
            assert!(value.is_empty(), "the key's value must not be readable");
        }
        drop(root);

        let again = HsmRoot::open(settings("87654321", false)).unwrap();
        assert_eq!(again.unwrap(b"here", &wrapped).unwrap().expose(), &[7; 32]);
        plant(&again);
        assert!(reason(&HsmRoot::open(settings("87654321", false))).contains("two root keys"));
        let planted = HsmSettings { key: "readable".to_owned(), ..settings("87654321", false) };
        assert!(reason(&HsmRoot::open(planted)).contains("could be read"));
        drop(lost);
        drop(again);
        assert!(reason(&HsmRoot::open(settings("11111111", false))).contains("pin"));
    }

    /// Plants a second key under the same label, and an extractable one under another.
    fn plant(root: &HsmRoot) {
        let open = root.open.lock().unwrap();
        let (session, _) = open.as_ref().unwrap();
        for (label, extractable) in [("garant root", false), ("readable", true)] {
            let template = [
                Attribute::Label(label.as_bytes().to_vec()),
                Attribute::ValueLen(32.into()),
                Attribute::Token(true),
                Attribute::Sensitive(!extractable),
                Attribute::Extractable(extractable),
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
            ];
            session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
        }
    }
}
