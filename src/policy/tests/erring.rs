//! Cedar fails open when a policy errs; the wrapper does not (security §0.2).

use std::str::FromStr;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, Request};
use serde_json::json;

use super::super::layer::{Erred, Layer};

fn asked(context: serde_json::Value) -> Request {
    let uid = |t: &str| EntityUid::from_str(t).unwrap();
    let context = Context::from_json_value(context, None).unwrap();
    Request::new(uid("U::\"u\""), uid("Action::\"a\""), uid("R::\"r\""), context, None).unwrap()
}

#[test]
fn a_forbid_that_errs_forbids_nothing_in_cedar_and_is_a_refusal_here() {
    for (policies, context) in [
        // A type error in the forbid.
        (
            "permit(principal, action, resource);
             forbid(principal, action, resource) when { context.p in [\"insurer\"] };",
            json!({"p": "insurer"}),
        ),
        // A missing attribute in the forbid.
        (
            "permit(principal, action, resource);
             forbid(principal, action, resource) when { context.org_suspended };",
            json!({}),
        ),
    ] {
        let (layer, request) = (Layer::unchecked(policies), asked(context));
        let raw = Authorizer::new().is_authorized(&request, layer.set(), &Entities::empty());
        assert_eq!((raw.decision(), raw.diagnostics().errors().count()), (Decision::Allow, 1), "{policies}");
        assert_eq!(layer.allows(&request, &Entities::empty()), Err(Erred), "{policies}");
    }
}

#[test]
fn an_error_beside_a_sound_permit_is_a_refusal() {
    let layer = Layer::unchecked(
        "permit(principal, action, resource);
         permit(principal, action, resource) unless { context.org_suspended };",
    );
    assert_eq!(layer.allows(&asked(json!({})), &Entities::empty()), Err(Erred));
    assert_eq!(layer.allows(&asked(json!({"org_suspended": true})), &Entities::empty()), Ok(true));
}

#[test]
fn the_same_restriction_as_a_condition_of_permit_denies_by_itself() {
    let layer = Layer::unchecked("permit(principal, action, resource) unless { context.org_suspended };");
    let raw = Authorizer::new().is_authorized(&asked(json!({})), layer.set(), &Entities::empty());
    assert_eq!(raw.decision(), Decision::Deny);
    assert_eq!(layer.allows(&asked(json!({"org_suspended": true})), &Entities::empty()), Ok(false));
    assert_eq!(layer.allows(&asked(json!({"org_suspended": false})), &Entities::empty()), Ok(true));
}
