-- One key-encryption key and the time it is in force.
CREATE TABLE epoch (
    -- Number of the epoch, from 1.
    epoch INTEGER NOT NULL PRIMARY KEY,
    -- The key-encryption key, wrapped under the root key.
    wrapped BLOB NOT NULL,
    -- Key check value: tells that the unwrapped key is the one this epoch began with.
    check_value BLOB NOT NULL,
    -- 'current' (new keys are wrapped under it) or 'old' (being rewrapped).
    state TEXT NOT NULL CHECK (state IN ('current', 'old')),
    -- When the epoch began, in microseconds since 1970.
    began_at INTEGER NOT NULL,
    -- The transaction that wrote the row last.
    updated_by TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX epoch_one_current ON epoch (state) WHERE state = 'current';

-- That a patient was given a key. Never deleted, so that no key is ever made a second time.
CREATE TABLE enrolment (
    -- The patient.
    patient BLOB NOT NULL,
    -- What the key is for: 'record' or 'log'.
    use TEXT NOT NULL CHECK (use IN ('record', 'log')),
    -- Versions of the key that were made.
    versions INTEGER NOT NULL,
    -- When the first one was made, in microseconds since 1970.
    enrolled_at INTEGER NOT NULL,
    -- When all of them were shredded, in microseconds since 1970; 0 while they stand.
    shredded_at INTEGER NOT NULL,
    -- The transaction that wrote the row last.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, use)
) STRICT, WITHOUT ROWID;

-- The keys of a patient, wrapped. Deleting these rows is what erases the patient.
CREATE TABLE patient_key (
    -- The patient.
    patient BLOB NOT NULL,
    -- What the key is for: 'record' or 'log'.
    use TEXT NOT NULL CHECK (use IN ('record', 'log')),
    -- Version of the key, from 1.
    version INTEGER NOT NULL,
    -- The epoch whose key it is wrapped under; the reference keeps an epoch alive while a key needs it.
    epoch INTEGER NOT NULL REFERENCES epoch (epoch),
    -- The key, wrapped.
    wrapped BLOB NOT NULL,
    -- The transaction that wrote the row last.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, use, version),
    FOREIGN KEY (patient, use) REFERENCES enrolment (patient, use)
) STRICT, WITHOUT ROWID;
CREATE INDEX patient_key_epoch ON patient_key (epoch, patient);

-- The deployment's own keys: blind index, row MAC, tokens, log, registry.
CREATE TABLE service_key (
    -- What the key is for: 'index', 'row', 'page', 'nonce', 'access', 'consent', 'log' or 'registry'.
    name TEXT NOT NULL,
    -- Version of the key, from 1.
    version INTEGER NOT NULL,
    -- The epoch whose key it is wrapped under.
    epoch INTEGER NOT NULL REFERENCES epoch (epoch),
    -- The secret or private key, wrapped.
    wrapped BLOB NOT NULL,
    -- The public key; empty for a symmetric one.
    public_key BLOB NOT NULL,
    -- The transaction that wrote the row last.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;
