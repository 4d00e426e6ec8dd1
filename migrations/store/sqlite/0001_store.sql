-- The store: ciphertext, consents and the log. Same tables and columns on both engines.

-- What this store is; one row.
CREATE TABLE deployment (
    -- Always 1.
    one INTEGER NOT NULL,
    -- Random id bound into every key and ciphertext.
    deployment BLOB NOT NULL,
    -- The FHIR base URL that statements and tokens are meant for.
    base_url TEXT NOT NULL,
    -- When it was made, µs.
    since INTEGER NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (one)
) STRICT;

-- One row per patient; no name, no identifier.
CREATE TABLE patient (
    -- Random id, 16 bytes.
    patient BLOB NOT NULL,
    -- active, closed or erased.
    state TEXT NOT NULL,
    -- When enrolled, µs.
    since INTEGER NOT NULL,
    -- MAC over patient and state.
    seal BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient)
) STRICT, WITHOUT ROWID;

-- Finds a patient by a keyed blind index of an identifier.
CREATE TABLE identifier (
    -- Whose identifier.
    patient BLOB NOT NULL,
    -- HMAC of system and value, 32 bytes.
    tag BLOB NOT NULL,
    -- MAC over patient and tag.
    seal BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, tag)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX identifier_tag ON identifier (tag);

-- Keys a patient signs with, enrolled by the guarantor.
CREATE TABLE device (
    -- Whose device.
    patient BLOB NOT NULL,
    -- Device id, 16 bytes.
    device BLOB NOT NULL,
    -- active or removed.
    state TEXT NOT NULL,
    -- The enrolment as signed: canonical JSON with the public key.
    body TEXT NOT NULL,
    -- Registry signature over body.
    signature BLOB NOT NULL,
    -- Highest signature counter seen of a passkey; 0 for what has none.
    counter INTEGER NOT NULL DEFAULT 0,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, device)
) STRICT, WITHOUT ROWID;

-- Accounts at identity providers through which patients sign in.
CREATE TABLE account (
    -- Whose account.
    patient BLOB NOT NULL,
    -- HMAC of issuer and subject, 32 bytes.
    tag BLOB NOT NULL,
    -- When it was linked, µs.
    since INTEGER NOT NULL,
    -- MAC over patient, tag and time.
    seal BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, tag)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX account_tag ON account (tag);

-- Invitations to link an account, each for one use.
CREATE TABLE invitation (
    -- Who is invited.
    patient BLOB NOT NULL,
    -- HMAC of the code, 32 bytes.
    tag BLOB NOT NULL,
    -- When it ends, µs.
    expires INTEGER NOT NULL,
    -- MAC over patient, tag and end.
    seal BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, tag)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX invitation_tag ON invitation (tag);

-- Organisations, professionals and software enrolled by the guarantor: a public register.
CREATE TABLE party (
    -- Id, 16 bytes.
    party BLOB NOT NULL,
    -- organisation, professional or client.
    kind TEXT NOT NULL,
    -- Number in the national register, or empty; a hint, the enrolment says it.
    number TEXT NOT NULL,
    -- From 1.
    revision INTEGER NOT NULL,
    -- The enrolment as signed: canonical JSON, state included.
    body TEXT NOT NULL,
    -- Registry signature over body.
    signature BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (party)
) STRICT, WITHOUT ROWID;
CREATE INDEX party_kind ON party (kind, number);

-- Current version of each record; everything readable is sealed.
CREATE TABLE record (
    -- Whose record.
    patient BLOB NOT NULL,
    -- Record id, 16 bytes.
    record BLOB NOT NULL,
    -- Current version, from 1.
    version INTEGER NOT NULL,
    -- Keyed tag of patient and resource type, 8 bytes.
    kind BLOB NOT NULL,
    -- Sealed labels, type and dates: what a decision may know.
    facts BLOB NOT NULL,
    -- Sealed search values.
    found BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_kind ON record (patient, kind, record);

-- The sealed text of each version of each record.
CREATE TABLE content (
    -- Whose record.
    patient BLOB NOT NULL,
    -- Record id.
    record BLOB NOT NULL,
    -- From 1.
    version INTEGER NOT NULL,
    -- Sealed exact text.
    sealed BLOB NOT NULL,
    -- Log index of the admission.
    leaf INTEGER NOT NULL,
    -- When this version was made, µs: its meta.lastUpdated.
    time INTEGER NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, record, version)
) STRICT;

-- Current revision and state of each consent.
CREATE TABLE consent (
    -- Who gave it.
    patient BLOB NOT NULL,
    -- Consent id, 16 bytes.
    consent BLOB NOT NULL,
    -- Current revision, from 1.
    revision INTEGER NOT NULL,
    -- active or ended.
    state TEXT NOT NULL,
    -- Keyed tag of patient and grantee, 16 bytes.
    grantee BLOB NOT NULL,
    -- MAC over this row and the digest of its evidence.
    seal BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, consent)
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_grantee ON consent (patient, grantee);

-- Each revision's signed evidence, never changed.
CREATE TABLE consent_revision (
    -- Who gave it.
    patient BLOB NOT NULL,
    -- Consent id.
    consent BLOB NOT NULL,
    -- From 1.
    revision INTEGER NOT NULL,
    -- Statement id, single use.
    statement BLOB NOT NULL,
    -- Sealed: statement bytes, signatures, token, enrolment of the key.
    evidence BLOB NOT NULL,
    -- Log index of the act.
    leaf INTEGER NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, consent, revision)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX consent_revision_statement ON consent_revision (patient, statement);

-- Requests for a consent, which the patient answers.
CREATE TABLE consent_request (
    -- Of whom it is asked.
    patient BLOB NOT NULL,
    -- The deed that made it, 16 bytes.
    request BLOB NOT NULL,
    -- Keyed tag of patient and asking organisation, 16 bytes.
    asker BLOB NOT NULL,
    -- open, accepted or declined.
    state TEXT NOT NULL,
    -- MAC over this row and the digest of what is asked.
    seal BLOB NOT NULL,
    -- Sealed: who asks, the terms asked for, the message.
    sealed BLOB NOT NULL,
    -- Log index of the request.
    leaf INTEGER NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, request)
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_request_asker ON consent_request (patient, asker);

-- The turn: whoever updates this row writes next.
CREATE TABLE log_head (
    -- Always 1.
    one INTEGER NOT NULL,
    -- Number of leaves.
    size INTEGER NOT NULL,
    -- Time of the last leaf, µs; never goes back.
    time INTEGER NOT NULL,
    -- Keyed chain over all leaf hashes so far, 32 bytes.
    chain BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (one)
) STRICT;

-- The tamper-evident log, dense from 0.
CREATE TABLE log_leaf (
    -- Index.
    leaf INTEGER NOT NULL,
    -- Whose history it belongs to.
    patient BLOB,
    -- Exact leaf bytes: nothing that identifies.
    entry BLOB NOT NULL,
    -- Personal part, sealed under the patient's log key.
    personal BLOB,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (leaf)
) STRICT;
CREATE INDEX log_leaf_patient ON log_leaf (patient, leaf);

-- Signed tree heads, each a successor of the one before.
CREATE TABLE log_checkpoint (
    -- Leaves covered.
    size INTEGER NOT NULL,
    -- Tree root, 32 bytes.
    root BLOB NOT NULL,
    -- Right edge of the tree, to go on from here.
    frontier BLOB NOT NULL,
    -- Keyed chain over the leaves covered.
    chain BLOB NOT NULL,
    -- C2SP signed note; empty until signed.
    note TEXT NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (size)
) STRICT;

-- Identifiers that may be used once: assertions and proofs.
CREATE TABLE used_once (
    -- Who made it.
    issuer TEXT NOT NULL,
    -- SHA-256 of its identifier.
    jti BLOB NOT NULL,
    -- When it may be forgotten, µs.
    expires INTEGER NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (issuer, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_once_expires ON used_once (expires);

-- Files that the guarantor imported, so that none is imported twice nor half.
CREATE TABLE import_file (
    -- Keyed tag of the file's SHA-256, 32 bytes.
    tag BLOB NOT NULL,
    -- Log index of the admission.
    leaf INTEGER NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (tag)
) STRICT, WITHOUT ROWID;

-- Versions that are not current: those replaced, and the deletion that ends a record.
CREATE TABLE past (
    -- Whose record.
    patient BLOB NOT NULL,
    -- Record id.
    record BLOB NOT NULL,
    -- From 1.
    version INTEGER NOT NULL,
    -- replaced or deleted; a deletion is the last version and its text is empty.
    state TEXT NOT NULL,
    -- Sealed facts of this version; a deletion has those of the version before it.
    facts BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (patient, record, version)
) STRICT, WITHOUT ROWID;

-- People who are signed in; a row that is gone is a session that is over.
CREATE TABLE session (
    -- SHA-256 of the cookie, 32 bytes.
    session BLOB NOT NULL,
    -- patient or professional.
    kind TEXT NOT NULL,
    -- Who, 16 bytes.
    person BLOB NOT NULL,
    -- Keyed tag of the provider and its name for the person; empty when there was none.
    login BLOB NOT NULL,
    -- Keyed tag of the provider and its session; empty when it named none.
    provider_session BLOB NOT NULL,
    -- How the person was identified: acr, then the methods, separated by blanks.
    means TEXT NOT NULL,
    -- When the person was identified, µs.
    authenticated INTEGER NOT NULL,
    -- When it began, µs.
    began INTEGER NOT NULL,
    -- When it was last seen, µs, to the minute.
    used INTEGER NOT NULL,
    -- When it ends whatever happens, µs.
    expires INTEGER NOT NULL,
    -- MAC over the row but for its last use.
    seal BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (session)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_person ON session (person);
CREATE INDEX session_login ON session (login);
CREATE INDEX session_provider_session ON session (provider_session);
CREATE INDEX session_expires ON session (expires);

-- What people allowed software in their name; a row that is gone is a grant that has ended.
CREATE TABLE oauth_grant (
    -- Id, 16 bytes; every token of the grant names it.
    id BLOB NOT NULL,
    -- Which software, 16 bytes.
    client BLOB NOT NULL,
    -- Keyed tag of the person, 32 bytes.
    person BLOB NOT NULL,
    -- The session in which it was given, 32 bytes; whoever was allowed something in it is told when it ends.
    session BLOB NOT NULL,
    -- Whether it goes on when that session ends.
    outlives INTEGER NOT NULL,
    -- When it ends whatever happens, µs.
    expires INTEGER NOT NULL,
    -- MAC over the row.
    seal BLOB NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_grant_person ON oauth_grant (person);
CREATE INDEX oauth_grant_session ON oauth_grant (session);
CREATE INDEX oauth_grant_expires ON oauth_grant (expires);

-- Secrets that were given out: pushed requests, pages shown, codes, refresh tokens.
CREATE TABLE oauth_secret (
    -- SHA-256 of the secret, 32 bytes.
    secret BLOB NOT NULL,
    -- request, page, code or refresh.
    kind TEXT NOT NULL,
    -- The grant it belongs to; empty before there is one.
    family BLOB NOT NULL,
    -- What it stands for, sealed.
    body BLOB NOT NULL,
    -- When it ends, µs.
    expires INTEGER NOT NULL,
    -- When it was used up, µs; 0 while it was not.
    used INTEGER NOT NULL,
    -- Name of the transaction.
    updated_by TEXT NOT NULL,
    PRIMARY KEY (secret)
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_secret_expires ON oauth_secret (expires);
