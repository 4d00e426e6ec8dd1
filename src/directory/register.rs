//! Reading the register: a row counts only with the registry's signature.

use std::sync::Arc;

use super::party::Party;
use crate::proof::Memo;
use crate::store::rows::PartyRow;
use crate::vault::RegistryVerifier;
