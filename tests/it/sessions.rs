//! Sessions of people who are signed in.

use garant::chance::SystemChance;
use garant::clock::{Clock as _, SystemClock, TestClock};
use garant::db::Arg;
use garant::id::{PatientId, ProfessionalId};
use garant::identity::{IDLE_SECONDS, LONGEST_SESSION_SECONDS, Login, Person, Provider, SessionError, Who};

use crate::cast::{Clinic, Patient};
use crate::house::{Open, each};

/// `person`, identified now by a provider that calls them `sub` and its session `sid`.
pub fn login(open: &Open, person: Person, sub: &str, sid: &str) -> Login {
    Login {
        person,
        auth_time: open.house.clock.now(),
        acr: "eidas2".to_owned(),
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        provider: Some(Provider {
            issuer: "https://login.example".to_owned(),
            subject: sub.to_owned(),
            session: Some(sid.to_owned()),
        }),
    }
}

#[test]
fn a_session_knows_its_person_and_is_over_when_unused_too_long_or_old_or_ended() {
    each("sessions", async |home| {
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        let sessions = &open.house.sessions;
        let patient = Patient::enrol(&open.house).await;
        let start = async || {
            sessions.start(&login(&open, Person::Patient(patient.id), "a", "1")).await.unwrap().expose().clone()
        };
        let current = async |cookie: &str| sessions.current(cookie).await.unwrap().map(|s| s.who);
        let cookie = start().await;
        let found = sessions.current(&cookie).await.unwrap().unwrap();
        assert_eq!((&found.who, found.acr.as_str()), (&Who::Patient(patient.id), "eidas2"));
        assert_eq!(found.amr, ["pwd", "otp"]);
        for wrong in ["", "x", &cookie[1..], &cookie.to_uppercase(), &format!("{cookie}=")] {
            assert_eq!(current(wrong).await, None, "{wrong}");
        }
        // Used, it goes on; unused, it ends.
        clock.advance_secs(IDLE_SECONDS - 1);
        assert!(current(&cookie).await.is_some());
        clock.advance_secs(IDLE_SECONDS - 1);
        assert!(current(&cookie).await.is_some());
        clock.advance_secs(IDLE_SECONDS);
        assert_eq!(current(&cookie).await, None);
        // However much it is used, it ends with the day.
        let cookie = start().await;
        for _ in 0..LONGEST_SESSION_SECONDS / (IDLE_SECONDS - 1) {
            clock.advance_secs(IDLE_SECONDS - 1);
            assert!(current(&cookie).await.is_some());
        }
        clock.advance_secs(IDLE_SECONDS - 1);
        assert_eq!(current(&cookie).await, None);
        // Ended, it is gone, the other one is not.
        let (one, two) = (start().await, start().await);
        sessions.end(&one).await.unwrap();
        assert_eq!((current(&one).await, current(&two).await.is_some()), (None, true));
        open.close().await;
        clock.set(SystemClock.now());
    });
}

#[test]
fn s12_p52_sessions_end_with_the_person_the_enrolment_and_the_providers_word() {
    each("P52", async |home| {
        let open = home.found().await;
        let sessions = &open.house.sessions;
        let (patient, clinic) = (Patient::enrol(&open.house).await, Clinic::enrol(&open.house).await);
        let doctor = Person::Professional(clinic.professional);
        let start = async |person, sub: &str, sid: &str| {
            sessions.start(&login(&open, person, sub, sid)).await.unwrap().expose().clone()
        };
        let alive = async |cookie: &str| sessions.current(cookie).await.unwrap().is_some();
        // By the provider's session, then by its name for the person, then all of a person.
        let [first, second, third] =
            [start(doctor, "d", "1").await, start(doctor, "d", "2").await, start(doctor, "e", "1x").await];
        let issuer = "https://login.example";
        assert_eq!(sessions.end_of_provider("https://other.example", Some("d"), Some("1")).await.unwrap(), 0);
        assert_eq!(sessions.end_of_provider(issuer, Some("d"), Some("1")).await.unwrap(), 1);
        assert_eq!([alive(&first).await, alive(&second).await, alive(&third).await], [false, true, true]);
        assert_eq!(sessions.end_of_provider(issuer, Some("d"), None).await.unwrap(), 1);
        assert_eq!([alive(&second).await, alive(&third).await], [false, true]);
        assert_eq!(sessions.end_all(doctor).await.unwrap(), 1);
        assert!(!alive(&third).await);
        // A suspended professional and an erased patient are out at once, and do not come in.
        let (theirs, mine) = (start(doctor, "d", "3").await, start(Person::Patient(patient.id), "p", "4").await);
        open.house.enrolments.set_standing(clinic.professional.as_bytes(), false).await.unwrap();
        open.house.patients.erase(patient.id, 0).await.unwrap();
        assert_eq!([alive(&theirs).await, alive(&mine).await], [false, false]);
        let strangers = [
            doctor,
            Person::Patient(patient.id),
            Person::Patient(PatientId::random(&SystemChance::new()).unwrap()),
            Person::Professional(ProfessionalId::random(&SystemChance::new()).unwrap()),
            // An organisation is no person, whatever kind of id it is put into.
            Person::Professional(ProfessionalId::from_bytes(*clinic.organisation.as_bytes())),
        ];
        for stranger in strangers {
            let refused = sessions.start(&login(&open, stranger, "x", "5")).await;
            assert!(matches!(refused, Err(SessionError::Unknown)), "{stranger:?}");
        }
        open.close().await;
    });
}

#[test]
fn a_session_row_with_anything_changed_is_nobodys() {
    each("session rows", async |home| {
        let open = home.found().await;
        let sessions = &open.house.sessions;
        let (me, other) = (Patient::enrol(&open.house).await, Patient::enrol(&open.house).await);
        let other: [Arg<'static>; 1] = [other.id.as_bytes().to_vec().into()];
        let changes: [(&'static str, &[Arg<'static>]); 5] = [
            ("UPDATE session SET person = $1", &other),
            ("UPDATE session SET kind = 'professional'", &[]),
            ("UPDATE session SET expires = expires + 1", &[]),
            ("UPDATE session SET authenticated = authenticated + 1", &[]),
            ("UPDATE session SET means = 'eidas3'", &[]),
        ];
        for (sql, args) in changes {
            let cookie = sessions.start(&login(&open, Person::Patient(me.id), "a", "1")).await.unwrap();
            assert!(sessions.current(cookie.expose()).await.unwrap().is_some());
            open.house.store.db().transact("test", vec![(sql, args.to_vec())]).await.unwrap();
            assert!(matches!(sessions.current(cookie.expose()).await, Err(SessionError::Altered(_))), "{sql}");
            sessions.end(cookie.expose()).await.unwrap();
        }
        open.close().await;
    });
}
