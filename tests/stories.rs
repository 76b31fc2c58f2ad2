//! What people do with a training administration, from beginning to end: the files in `eduframe/stories/`. Each step is read
//! back as the partner's client reads it, and as readers of the canonical model do.
//!
//! To tell one more story: add a file there.

use rollcall_tests::database::Kind;
use serde_json::json;

use crate::scenario::{self, Partner};
use crate::{on_every_database, site_of};

on_every_database!(stories_end_as_they_are_told);

/// The partner and its client.
const PARTNER: Partner = Partner {
    name: "eduframe",
    base: "/api/v1",
    credential: |token| ("authorization", format!("Bearer {token}")),
    options: || {
        json!({
            "slug": "horizon", "tenant_id": "5b0c4c1e-6a3d-4a52-9a57-0d6f4f2b8a11", "name": "Horizon Academy",
            "website_url": "https://horizon.example", "currency": "EUR", "user_id": 1,
        })
    },
    expand: |_| {},
};

fn stories_end_as_they_are_told(kind: Kind) {
    let mut site = site_of(kind, PARTNER.name);
    site.config["tenants"] = json!({});
    scenario::run(&PARTNER, site, "eduframe/stories");
}
