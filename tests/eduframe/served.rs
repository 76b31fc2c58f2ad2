//! A server with one connection of Eduframe: for tests that call it as its document says.

use rollcall_tests::database::Kind;
use rollcall_tests::site::{Site, digest};
use serde_json::json;

use crate::site_of;

/// The partner; also where its routes are.
pub(super) const PARTNER: &str = "eduframe";

/// The credential of the connection.
pub(super) const SCHOOL: &str = "north-school";

/// The operator's credential.
pub(super) const OPERATOR: &str = "operator";

/// What another Eduframe puts into the path of its webhooks.
const SECRET: &str = "secret-of-webhooks";

/// An empty database; the tenant `north` with the connection `school`.
pub(super) fn site(kind: Kind) -> Site {
    let mut site = site_of(kind, PARTNER);
    site.config["tenants"] = json!({"north": {"connections": {"school": {
        "partner": PARTNER,
        "credentials": [digest(SCHOOL), digest(SECRET)],
        "options": {
            "slug": "horizon",
            "tenant_id": "5b0c4c1e-6a3d-4a52-9a57-0d6f4f2b8a11",
            "name": "Horizon Academy",
            "website_url": "https://horizon.example",
            "currency": "EUR",
            "user_id": 1,
        },
    }}}});
    site
}
