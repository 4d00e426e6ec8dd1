CREATE TABLE epoch (
    epoch BIGINT NOT NULL PRIMARY KEY,
    wrapped BYTEA NOT NULL,
    check_value BYTEA NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('current', 'old')),
    began_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);
COMMENT ON TABLE epoch IS 'One key-encryption key and the time it is in force.';
COMMENT ON COLUMN epoch.epoch IS 'Number of the epoch, from 1.';
COMMENT ON COLUMN epoch.wrapped IS 'The key-encryption key, wrapped under the root key.';
COMMENT ON COLUMN epoch.check_value IS 'Key check value: tells that the unwrapped key is the one this epoch began with.';
COMMENT ON COLUMN epoch.state IS '''current'' (new keys are wrapped under it) or ''old'' (being rewrapped).';
COMMENT ON COLUMN epoch.began_at IS 'When the epoch began, in microseconds since 1970.';
COMMENT ON COLUMN epoch.updated_by IS 'The transaction that wrote the row last.';
CREATE UNIQUE INDEX epoch_one_current ON epoch (state) WHERE state = 'current';

CREATE TABLE enrolment (
    patient BYTEA NOT NULL,
    use TEXT NOT NULL CHECK (use IN ('record', 'log')),
    versions BIGINT NOT NULL,
    enrolled_at BIGINT NOT NULL,
    shredded_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, use)
);
COMMENT ON TABLE enrolment IS 'That a patient was given a key. Never deleted, so that no key is ever made a second time.';
COMMENT ON COLUMN enrolment.patient IS 'The patient.';
COMMENT ON COLUMN enrolment.use IS 'What the key is for: ''record'' or ''log''.';
COMMENT ON COLUMN enrolment.versions IS 'Versions of the key that were made.';
COMMENT ON COLUMN enrolment.enrolled_at IS 'When the first one was made, in microseconds since 1970.';
COMMENT ON COLUMN enrolment.shredded_at IS 'When all of them were shredded, in microseconds since 1970; 0 while they stand.';
COMMENT ON COLUMN enrolment.updated_by IS 'The transaction that wrote the row last.';

CREATE TABLE patient_key (
    patient BYTEA NOT NULL,
    use TEXT NOT NULL CHECK (use IN ('record', 'log')),
    version BIGINT NOT NULL,
    epoch BIGINT NOT NULL REFERENCES epoch (epoch),
    wrapped BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, use, version),
    FOREIGN KEY (patient, use) REFERENCES enrolment (patient, use)
);
COMMENT ON TABLE patient_key IS 'The keys of a patient, wrapped. Deleting these rows is what erases the patient.';
COMMENT ON COLUMN patient_key.patient IS 'The patient.';
COMMENT ON COLUMN patient_key.use IS 'What the key is for: ''record'' or ''log''.';
COMMENT ON COLUMN patient_key.version IS 'Version of the key, from 1.';
COMMENT ON COLUMN patient_key.epoch IS 'The epoch whose key it is wrapped under; the reference keeps an epoch alive while a key needs it.';
COMMENT ON COLUMN patient_key.wrapped IS 'The key, wrapped.';
COMMENT ON COLUMN patient_key.updated_by IS 'The transaction that wrote the row last.';
CREATE INDEX patient_key_epoch ON patient_key (epoch, patient);

CREATE TABLE service_key (
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    epoch BIGINT NOT NULL REFERENCES epoch (epoch),
    wrapped BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (name, version)
);
COMMENT ON TABLE service_key IS 'The deployment''s own keys: blind index, row MAC, page links, tokens, log, registry.';
COMMENT ON COLUMN service_key.name IS 'What the key is for: ''index'', ''row'', ''page'', ''nonce'', ''access'', ''consent'', ''log'' or ''registry''.';
COMMENT ON COLUMN service_key.version IS 'Version of the key, from 1.';
COMMENT ON COLUMN service_key.epoch IS 'The epoch whose key it is wrapped under.';
COMMENT ON COLUMN service_key.wrapped IS 'The secret or private key, wrapped.';
COMMENT ON COLUMN service_key.public_key IS 'The public key; empty for a symmetric one.';
COMMENT ON COLUMN service_key.updated_by IS 'The transaction that wrote the row last.';
