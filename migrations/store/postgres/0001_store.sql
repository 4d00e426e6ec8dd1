-- The store: ciphertext, consents and the log. Same tables and columns on both engines.

CREATE TABLE deployment (
    one BIGINT NOT NULL,
    deployment BYTEA NOT NULL,
    base_url TEXT NOT NULL,
    since BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (one)
);
COMMENT ON TABLE deployment IS 'What this store is; one row.';
COMMENT ON COLUMN deployment.one IS 'Always 1.';
COMMENT ON COLUMN deployment.deployment IS 'Random id bound into every key and ciphertext.';
COMMENT ON COLUMN deployment.base_url IS 'The FHIR base URL that statements and tokens are meant for.';
COMMENT ON COLUMN deployment.since IS 'When it was made, µs.';
COMMENT ON COLUMN deployment.updated_by IS 'Name of the transaction.';

CREATE TABLE patient (
    patient BYTEA NOT NULL,
    state TEXT NOT NULL,
    since BIGINT NOT NULL,
    seal BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient)
);
COMMENT ON TABLE patient IS 'One row per patient; no name, no identifier.';
COMMENT ON COLUMN patient.patient IS 'Random id, 16 bytes.';
COMMENT ON COLUMN patient.state IS 'active, closed or erased.';
COMMENT ON COLUMN patient.since IS 'When enrolled, µs.';
COMMENT ON COLUMN patient.seal IS 'MAC over patient and state.';
COMMENT ON COLUMN patient.updated_by IS 'Name of the transaction.';

CREATE TABLE identifier (
    patient BYTEA NOT NULL,
    tag BYTEA NOT NULL,
    seal BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, tag)
);
COMMENT ON TABLE identifier IS 'Finds a patient by a keyed blind index of an identifier.';
COMMENT ON COLUMN identifier.patient IS 'Whose identifier.';
COMMENT ON COLUMN identifier.tag IS 'HMAC of system and value, 32 bytes.';
COMMENT ON COLUMN identifier.seal IS 'MAC over patient and tag.';
COMMENT ON COLUMN identifier.updated_by IS 'Name of the transaction.';
CREATE UNIQUE INDEX identifier_tag ON identifier (tag);

CREATE TABLE device (
    patient BYTEA NOT NULL,
    device BYTEA NOT NULL,
    state TEXT NOT NULL,
    body TEXT NOT NULL,
    signature BYTEA NOT NULL,
    counter BIGINT NOT NULL DEFAULT 0,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, device)
);
COMMENT ON TABLE device IS 'Keys a patient signs with, enrolled by the guarantor.';
COMMENT ON COLUMN device.patient IS 'Whose device.';
COMMENT ON COLUMN device.device IS 'Device id, 16 bytes.';
COMMENT ON COLUMN device.state IS 'active or removed.';
COMMENT ON COLUMN device.body IS 'The enrolment as signed: canonical JSON with the public key.';
COMMENT ON COLUMN device.signature IS 'Registry signature over body.';
COMMENT ON COLUMN device.counter IS 'Highest signature counter seen of a passkey; 0 for what has none.';
COMMENT ON COLUMN device.updated_by IS 'Name of the transaction.';

CREATE TABLE account (
    patient BYTEA NOT NULL,
    tag BYTEA NOT NULL,
    since BIGINT NOT NULL,
    seal BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, tag)
);
COMMENT ON TABLE account IS 'Accounts at identity providers through which patients sign in.';
COMMENT ON COLUMN account.patient IS 'Whose account.';
COMMENT ON COLUMN account.tag IS 'HMAC of issuer and subject, 32 bytes.';
COMMENT ON COLUMN account.since IS 'When it was linked, µs.';
COMMENT ON COLUMN account.seal IS 'MAC over patient, tag and time.';
COMMENT ON COLUMN account.updated_by IS 'Name of the transaction.';
CREATE UNIQUE INDEX account_tag ON account (tag);

CREATE TABLE invitation (
    patient BYTEA NOT NULL,
    tag BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    seal BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, tag)
);
COMMENT ON TABLE invitation IS 'Invitations to link an account, each for one use.';
COMMENT ON COLUMN invitation.patient IS 'Who is invited.';
COMMENT ON COLUMN invitation.tag IS 'HMAC of the code, 32 bytes.';
COMMENT ON COLUMN invitation.expires IS 'When it ends, µs.';
COMMENT ON COLUMN invitation.seal IS 'MAC over patient, tag and end.';
COMMENT ON COLUMN invitation.updated_by IS 'Name of the transaction.';
CREATE UNIQUE INDEX invitation_tag ON invitation (tag);

CREATE TABLE party (
    party BYTEA NOT NULL,
    kind TEXT NOT NULL,
    number TEXT NOT NULL,
    revision BIGINT NOT NULL,
    body TEXT NOT NULL,
    signature BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (party)
);
COMMENT ON TABLE party IS 'Organisations, professionals and software enrolled by the guarantor: a public register.';
COMMENT ON COLUMN party.party IS 'Id, 16 bytes.';
COMMENT ON COLUMN party.kind IS 'organisation, professional or client.';
COMMENT ON COLUMN party.number IS 'Number in the national register, or empty; a hint, the enrolment says it.';
COMMENT ON COLUMN party.revision IS 'From 1.';
COMMENT ON COLUMN party.body IS 'The enrolment as signed: canonical JSON, state included.';
COMMENT ON COLUMN party.signature IS 'Registry signature over body.';
COMMENT ON COLUMN party.updated_by IS 'Name of the transaction.';
CREATE INDEX party_kind ON party (kind, number);

CREATE TABLE record (
    patient BYTEA NOT NULL,
    record BYTEA NOT NULL,
    version BIGINT NOT NULL,
    kind BYTEA NOT NULL,
    facts BYTEA NOT NULL,
    found BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, record)
);
COMMENT ON TABLE record IS 'Current version of each record; everything readable is sealed.';
COMMENT ON COLUMN record.patient IS 'Whose record.';
COMMENT ON COLUMN record.record IS 'Record id, 16 bytes.';
COMMENT ON COLUMN record.version IS 'Current version, from 1.';
COMMENT ON COLUMN record.kind IS 'Keyed tag of patient and resource type, 8 bytes.';
COMMENT ON COLUMN record.facts IS 'Sealed labels, type and dates: what a decision may know.';
COMMENT ON COLUMN record.found IS 'Sealed search values.';
COMMENT ON COLUMN record.updated_by IS 'Name of the transaction.';
CREATE INDEX record_kind ON record (patient, kind, record);
-- Ciphertext does not compress, and a row of 2 KB is read faster in line.
ALTER TABLE record ALTER COLUMN facts SET STORAGE EXTERNAL;
ALTER TABLE record ALTER COLUMN found SET STORAGE EXTERNAL;
ALTER TABLE record SET (toast_tuple_target = 8160);

CREATE TABLE content (
    patient BYTEA NOT NULL,
    record BYTEA NOT NULL,
    version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    leaf BIGINT NOT NULL,
    time BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, record, version)
);
COMMENT ON TABLE content IS 'The sealed text of each version of each record.';
COMMENT ON COLUMN content.patient IS 'Whose record.';
COMMENT ON COLUMN content.record IS 'Record id.';
COMMENT ON COLUMN content.version IS 'From 1.';
COMMENT ON COLUMN content.sealed IS 'Sealed exact text.';
COMMENT ON COLUMN content.leaf IS 'Log index of the admission.';
COMMENT ON COLUMN content.time IS 'When this version was made, µs: its meta.lastUpdated.';
COMMENT ON COLUMN content.updated_by IS 'Name of the transaction.';
-- Ciphertext does not compress, and a row of 2 KB is read faster in line.
ALTER TABLE content ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE content SET (toast_tuple_target = 8160);

CREATE TABLE consent (
    patient BYTEA NOT NULL,
    consent BYTEA NOT NULL,
    revision BIGINT NOT NULL,
    state TEXT NOT NULL,
    grantee BYTEA NOT NULL,
    seal BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, consent)
);
COMMENT ON TABLE consent IS 'Current revision and state of each consent.';
COMMENT ON COLUMN consent.patient IS 'Who gave it.';
COMMENT ON COLUMN consent.consent IS 'Consent id, 16 bytes.';
COMMENT ON COLUMN consent.revision IS 'Current revision, from 1.';
COMMENT ON COLUMN consent.state IS 'active or ended.';
COMMENT ON COLUMN consent.grantee IS 'Keyed tag of patient and grantee, 16 bytes.';
COMMENT ON COLUMN consent.seal IS 'MAC over this row and the digest of its evidence.';
COMMENT ON COLUMN consent.updated_by IS 'Name of the transaction.';
CREATE INDEX consent_grantee ON consent (patient, grantee);

CREATE TABLE consent_revision (
    patient BYTEA NOT NULL,
    consent BYTEA NOT NULL,
    revision BIGINT NOT NULL,
    statement BYTEA NOT NULL,
    evidence BYTEA NOT NULL,
    leaf BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, consent, revision)
);
COMMENT ON TABLE consent_revision IS 'Each revision''s signed evidence, never changed.';
COMMENT ON COLUMN consent_revision.patient IS 'Who gave it.';
COMMENT ON COLUMN consent_revision.consent IS 'Consent id.';
COMMENT ON COLUMN consent_revision.revision IS 'From 1.';
COMMENT ON COLUMN consent_revision.statement IS 'Statement id, single use.';
COMMENT ON COLUMN consent_revision.evidence IS 'Sealed: statement bytes, signatures, token, enrolment of the key.';
COMMENT ON COLUMN consent_revision.leaf IS 'Log index of the act.';
COMMENT ON COLUMN consent_revision.updated_by IS 'Name of the transaction.';
CREATE UNIQUE INDEX consent_revision_statement ON consent_revision (patient, statement);
-- Ciphertext does not compress, and a row of 2 KB is read faster in line.
ALTER TABLE consent_revision ALTER COLUMN evidence SET STORAGE EXTERNAL;
ALTER TABLE consent_revision SET (toast_tuple_target = 8160);

CREATE TABLE consent_request (
    patient BYTEA NOT NULL,
    request BYTEA NOT NULL,
    asker BYTEA NOT NULL,
    state TEXT NOT NULL,
    seal BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    leaf BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, request)
);
COMMENT ON TABLE consent_request IS 'Requests for a consent, which the patient answers.';
COMMENT ON COLUMN consent_request.patient IS 'Of whom it is asked.';
COMMENT ON COLUMN consent_request.request IS 'The deed that made it, 16 bytes.';
COMMENT ON COLUMN consent_request.asker IS 'Keyed tag of patient and asking organisation, 16 bytes.';
COMMENT ON COLUMN consent_request.state IS 'open, accepted or declined.';
COMMENT ON COLUMN consent_request.seal IS 'MAC over this row and the digest of what is asked.';
COMMENT ON COLUMN consent_request.sealed IS 'Sealed: who asks, the terms asked for, the message.';
COMMENT ON COLUMN consent_request.leaf IS 'Log index of the request.';
COMMENT ON COLUMN consent_request.updated_by IS 'Name of the transaction.';
CREATE INDEX consent_request_asker ON consent_request (patient, asker);

CREATE TABLE log_head (
    one BIGINT NOT NULL,
    size BIGINT NOT NULL,
    time BIGINT NOT NULL,
    chain BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (one)
);
COMMENT ON TABLE log_head IS 'The turn: whoever updates this row writes next.';
COMMENT ON COLUMN log_head.one IS 'Always 1.';
COMMENT ON COLUMN log_head.size IS 'Number of leaves.';
COMMENT ON COLUMN log_head.time IS 'Time of the last leaf, µs; never goes back.';
COMMENT ON COLUMN log_head.chain IS 'Keyed chain over all leaf hashes so far, 32 bytes.';
COMMENT ON COLUMN log_head.updated_by IS 'Name of the transaction.';

CREATE TABLE log_leaf (
    leaf BIGINT NOT NULL,
    patient BYTEA,
    entry BYTEA NOT NULL,
    personal BYTEA,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (leaf)
);
COMMENT ON TABLE log_leaf IS 'The tamper-evident log, dense from 0.';
COMMENT ON COLUMN log_leaf.leaf IS 'Index.';
COMMENT ON COLUMN log_leaf.patient IS 'Whose history it belongs to.';
COMMENT ON COLUMN log_leaf.entry IS 'Exact leaf bytes: nothing that identifies.';
COMMENT ON COLUMN log_leaf.personal IS 'Personal part, sealed under the patient''s log key.';
COMMENT ON COLUMN log_leaf.updated_by IS 'Name of the transaction.';
CREATE INDEX log_leaf_patient ON log_leaf (patient, leaf);
-- Ciphertext does not compress, and a row of 2 KB is read faster in line.
ALTER TABLE log_leaf ALTER COLUMN entry SET STORAGE EXTERNAL;
ALTER TABLE log_leaf ALTER COLUMN personal SET STORAGE EXTERNAL;
ALTER TABLE log_leaf SET (toast_tuple_target = 8160);

CREATE TABLE log_checkpoint (
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    frontier BYTEA NOT NULL,
    chain BYTEA NOT NULL,
    note TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (size)
);
COMMENT ON TABLE log_checkpoint IS 'Signed tree heads, each a successor of the one before.';
COMMENT ON COLUMN log_checkpoint.size IS 'Leaves covered.';
COMMENT ON COLUMN log_checkpoint.root IS 'Tree root, 32 bytes.';
COMMENT ON COLUMN log_checkpoint.frontier IS 'Right edge of the tree, to go on from here.';
COMMENT ON COLUMN log_checkpoint.chain IS 'Keyed chain over the leaves covered.';
COMMENT ON COLUMN log_checkpoint.note IS 'C2SP signed note; empty until signed.';
COMMENT ON COLUMN log_checkpoint.updated_by IS 'Name of the transaction.';

CREATE TABLE used_once (
    issuer TEXT NOT NULL,
    jti BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (issuer, jti)
);
COMMENT ON TABLE used_once IS 'Identifiers that may be used once: assertions and proofs.';
COMMENT ON COLUMN used_once.issuer IS 'Who made it.';
COMMENT ON COLUMN used_once.jti IS 'SHA-256 of its identifier.';
COMMENT ON COLUMN used_once.expires IS 'When it may be forgotten, µs.';
COMMENT ON COLUMN used_once.updated_by IS 'Name of the transaction.';
CREATE INDEX used_once_expires ON used_once (expires);

CREATE TABLE import_file (
    tag BYTEA NOT NULL,
    leaf BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (tag)
);
COMMENT ON TABLE import_file IS 'Files that the guarantor imported, so that none is imported twice nor half.';
COMMENT ON COLUMN import_file.tag IS 'Keyed tag of the file''s SHA-256, 32 bytes.';
COMMENT ON COLUMN import_file.leaf IS 'Log index of the admission.';
COMMENT ON COLUMN import_file.updated_by IS 'Name of the transaction.';

CREATE TABLE past (
    patient BYTEA NOT NULL,
    record BYTEA NOT NULL,
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    facts BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, record, version)
);
COMMENT ON TABLE past IS 'Versions that are not current: those replaced, and the deletion that ends a record.';
COMMENT ON COLUMN past.patient IS 'Whose record.';
COMMENT ON COLUMN past.record IS 'Record id.';
COMMENT ON COLUMN past.version IS 'From 1.';
COMMENT ON COLUMN past.state IS 'replaced or deleted; a deletion is the last version and its text is empty.';
COMMENT ON COLUMN past.facts IS 'Sealed facts of this version; a deletion has those of the version before it.';
COMMENT ON COLUMN past.updated_by IS 'Name of the transaction.';

CREATE TABLE session (
    session BYTEA NOT NULL,
    kind TEXT NOT NULL,
    person BYTEA NOT NULL,
    login BYTEA NOT NULL,
    provider_session BYTEA NOT NULL,
    means TEXT NOT NULL,
    authenticated BIGINT NOT NULL,
    began BIGINT NOT NULL,
    used BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    seal BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (session)
);
COMMENT ON TABLE session IS 'People who are signed in; a row that is gone is a session that is over.';
COMMENT ON COLUMN session.session IS 'SHA-256 of the cookie, 32 bytes.';
COMMENT ON COLUMN session.kind IS 'patient or professional.';
COMMENT ON COLUMN session.person IS 'Who, 16 bytes.';
COMMENT ON COLUMN session.login IS 'Keyed tag of the provider and its name for the person; empty when there was none.';
COMMENT ON COLUMN session.provider_session IS 'Keyed tag of the provider and its session; empty when it named none.';
COMMENT ON COLUMN session.means IS 'How the person was identified: acr, then the methods, separated by blanks.';
COMMENT ON COLUMN session.authenticated IS 'When the person was identified, µs.';
COMMENT ON COLUMN session.began IS 'When it began, µs.';
COMMENT ON COLUMN session.used IS 'When it was last seen, µs, to the minute.';
COMMENT ON COLUMN session.expires IS 'When it ends whatever happens, µs.';
COMMENT ON COLUMN session.seal IS 'MAC over the row but for its last use.';
COMMENT ON COLUMN session.updated_by IS 'Name of the transaction.';
CREATE INDEX session_person ON session (person);
CREATE INDEX session_login ON session (login);
CREATE INDEX session_provider_session ON session (provider_session);
CREATE INDEX session_expires ON session (expires);

CREATE TABLE oauth_grant (
    id BYTEA NOT NULL,
    client BYTEA NOT NULL,
    person BYTEA NOT NULL,
    session BYTEA NOT NULL,
    outlives BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    seal BYTEA NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (id)
);
COMMENT ON TABLE oauth_grant IS 'What people allowed software in their name; a row that is gone is a grant that has ended.';
COMMENT ON COLUMN oauth_grant.id IS 'Id, 16 bytes; every token of the grant names it.';
COMMENT ON COLUMN oauth_grant.client IS 'Which software, 16 bytes.';
COMMENT ON COLUMN oauth_grant.person IS 'Keyed tag of the person, 32 bytes.';
COMMENT ON COLUMN oauth_grant.session IS 'The session in which it was given, 32 bytes; whoever was allowed something in it is told when it ends.';
COMMENT ON COLUMN oauth_grant.outlives IS 'Whether it goes on when that session ends.';
COMMENT ON COLUMN oauth_grant.expires IS 'When it ends whatever happens, µs.';
COMMENT ON COLUMN oauth_grant.seal IS 'MAC over the row.';
COMMENT ON COLUMN oauth_grant.updated_by IS 'Name of the transaction.';
CREATE INDEX oauth_grant_person ON oauth_grant (person);
CREATE INDEX oauth_grant_session ON oauth_grant (session);
CREATE INDEX oauth_grant_expires ON oauth_grant (expires);

CREATE TABLE oauth_secret (
    secret BYTEA NOT NULL,
    kind TEXT NOT NULL,
    family BYTEA NOT NULL,
    body BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    used BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (secret)
);
COMMENT ON TABLE oauth_secret IS 'Secrets that were given out: pushed requests, pages shown, codes, refresh tokens.';
COMMENT ON COLUMN oauth_secret.secret IS 'SHA-256 of the secret, 32 bytes.';
COMMENT ON COLUMN oauth_secret.kind IS 'request, page, code or refresh.';
COMMENT ON COLUMN oauth_secret.family IS 'The grant it belongs to; empty before there is one.';
COMMENT ON COLUMN oauth_secret.body IS 'What it stands for, sealed.';
COMMENT ON COLUMN oauth_secret.expires IS 'When it ends, µs.';
COMMENT ON COLUMN oauth_secret.used IS 'When it was used up, µs; 0 while it was not.';
COMMENT ON COLUMN oauth_secret.updated_by IS 'Name of the transaction.';
CREATE INDEX oauth_secret_expires ON oauth_secret (expires);
