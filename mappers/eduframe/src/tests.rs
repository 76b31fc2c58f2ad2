//! What Eduframe's records become.

use std::collections::BTreeMap;

use rollcall_mapper_sdk::{Diagnostic, Row, run_native};
use serde_json::{Value, json};

use crate::Eduframe;

type Entities = BTreeMap<(&'static str, String), Value>;

const CREATED: &str = "2026-08-30T07:00:00.000Z";

fn run(record: &str, body: &Value) -> (Entities, Vec<Diagnostic>) {
    let options = json!({
        "slug": "academy", "tenant_id": "6f1b6a0e-8a43-4f0e-9a57-2f5d7a1f2b11", "name": "The Academy",
        "website_url": "https://academy.example", "currency": "EUR",
    });
    let (rows, diagnostics): (Vec<Row>, _) = run_native::<Eduframe>(record, body, &json!({}), &options);
    (rows.into_iter().map(|row| ((row.kind, row.source_id), json!(row.fields))).collect(), diagnostics)
}

/// What a record becomes, the educator's org aside, which has to be there where it is spoken of.
fn mapped(record: &str, body: &Value) -> Entities {
    let (mut entities, diagnostics) = run(record, body);
    assert_eq!(diagnostics, [], "{record}");
    let educator = entities.remove(&("org", "educator:academy".to_owned()));
    let is_needed = entities.values().any(|entity| entity.to_string().contains("\"educator:academy\""));
    assert_eq!(educator.is_some(), is_needed, "{record}");
    if let Some(educator) = educator {
        assert_eq!(educator, json!({"name": "The Academy", "type": "school", "identifier": "academy"}));
    }
    entities
}

fn assert_maps(record: &str, body: &Value, expected: Value) {
    let Value::Object(expected) = expected else { panic!("what is expected is an object") };
    let found = mapped(record, body);
    let found: BTreeMap<String, Value> =
        found.into_iter().map(|((kind, id), entity)| (format!("{kind} {id}"), entity)).collect();
    assert_eq!(json!(found), Value::Object(expected.into_iter().collect()), "{record} {body}");
}

fn user(more: &Value) -> Value {
    let mut user = json!({
        "id": 12, "first_name": "Ada", "middle_name": "de", "last_name": "Vries", "email": "ada@academy.example",
        "roles": [], "label_ids": [], "created_at": CREATED, "custom": {"shoe": 40}, "address": {"city": "Delft"},
    });
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user
}

#[test]
fn the_educator_is_called_as_the_connection_says() {
    let body = json!({
        "id": 1, "slug": "old", "name": "Old name", "time_zone": "Amsterdam", "signup_default_account_type": "personal",
        "currency": "EUR", "country": "NL", "terms_url": "", "email": "hello@academy.example", "phone": "",
    });
    let (entities, _) = run("Educator", &body);
    let school = json!({
        "name": "The Academy", "type": "school", "identifier": "academy", "metadata": {"email": "hello@academy.example"},
    });
    assert_eq!(entities, BTreeMap::from([(("org", "educator:academy".to_owned()), school)]));
}

#[test]
fn a_user_is_a_person_of_the_educator() {
    let person = json!({
        "enabledUser": "true", "identifier": "12", "username": "ada@academy.example", "givenName": "Ada",
        "middleName": "de", "familyName": "Vries", "email": "ada@academy.example",
        "userIds": [{"type": "employee", "identifier": "E7"}], "primaryOrg": "educator:academy", "roles": [],
        "metadata": {"name": "Ada de Vries"},
    });
    assert_maps("User", &user(&json!({"employee_number": "E7"})), json!({"user user:12": person}));
}

#[test]
fn the_weightiest_role_is_the_primary_one() {
    let table = [
        (json!(["student"]), "student"),
        (json!(["customer", "student"]), "student ext:customer"),
        (json!(["student", "teacher", "admin", "customer"]), "siteAdministrator teacher student ext:customer"),
    ];
    for (roles, expected) in table {
        let all = mapped("User", &user(&json!({ "roles": roles })));
        let found = all[&("user", "user:12".to_owned())]["roles"].as_array().unwrap().clone();
        let words: Vec<_> = found.iter().map(|role| role["role"].as_str().unwrap()).collect();
        assert_eq!(words.join(" "), expected);
        assert!(found.iter().enumerate().all(|(nth, role)| (role["roleType"] == "primary") == (nth == 0)));
    }
}

#[test]
fn an_account_is_an_org_and_an_affiliation_a_role_in_it() {
    let account = |kind: &str| json!({"id": 3, "name": "Forge Ltd", "account_type": kind, "phone": "+31 15 123"});
    for (kind, word) in [("business", "ext:business"), ("personal", "ext:personal")] {
        let org = json!({"name": "Forge Ltd", "type": word, "identifier": "3", "metadata": {"phone": "+31 15 123"}});
        assert_maps("Account", &account(kind), json!({"org account:3": org}));
    }
    for (key_contact, word) in [(true, "ext:keyContact"), (false, "ext:member")] {
        let body = json!({"id": 1, "account_id": 3, "user_id": 12, "key_contact": key_contact});
        let role = json!({"roleType": "primary", "role": word, "org": "account:3"});
        assert_maps("Affiliation", &body, json!({"user user:12": {"roles": [role]}}));
    }
}

#[test]
fn a_course_is_planned_as_a_class() {
    let body = json!({"id": 3, "name": "Welding", "code": "W1", "category_id": 1, "cost": "100.00"});
    let course = json!({"title": "Welding", "courseCode": "W1", "org": "educator:academy"});
    assert_maps("Course", &body, json!({"course course:3": course}));
    let body = json!({
        "id": 9, "course_id": 3, "type": "FixedPlannedCourse", "status": "planned", "cost": "99.95",
        "start_date": "2026-09-01T00:00:00.000Z", "end_date": "2026-12-18", "course_location_id": 4,
    });
    let class = json!({
        "title": "9 (2026-09-01)", "classCode": "9", "classType": "scheduled", "course": "course:3",
        "school": "educator:academy", "terms": [],
        "metadata": {
            "startDate": "2026-09-01", "endDate": "2026-12-18", "location": "course_location:4", "status": "planned",
            "type": "FixedPlannedCourse", "price": "99.95", "priceCurrency": "EUR",
        },
    });
    assert_maps("PlannedCourse", &body, json!({"class planned_course:9": class}));
    let body = json!({"id": 9, "course_id": 3, "type": "FlexiblePlannedCourse", "start_date": "soon"});
    let all = mapped("PlannedCourse", &body);
    let class = &all[&("class", "planned_course:9".to_owned())];
    assert_eq!((&class["title"], class["metadata"].get("startDate")), (&json!("9"), None));
}

#[test]
fn a_program_is_a_program_and_the_course_of_its_editions() {
    let body = json!({"id": 2, "name": "Smith", "category_id": 1, "slug": "smith"});
    let program = json!({"title": "Smith", "code": "smith", "org": "educator:academy", "courses": ["program:2"]});
    let course = json!({"title": "Smith", "courseCode": "smith", "org": "educator:academy"});
    assert_maps("Program", &body, json!({"program program:2": program, "course program:2": course}));
    let body = json!({"id": 20, "name": "Smith 2026", "program_id": 2, "start_date": "2026-09-01"});
    let class = json!({
        "title": "Smith 2026", "classCode": "20", "classType": "ext:programEdition", "course": "program:2",
        "school": "educator:academy", "terms": [], "metadata": {"startDate": "2026-09-01"},
    });
    assert_maps("ProgramEdition", &body, json!({"class program_edition:20": class}));
}

#[test]
fn who_is_enrolled_is_enrolled_until_that_is_cancelled() {
    let body = |status: &str| json!({"id": 7, "student_id": 12, "planned_course_id": 9, "status": status, "start_date": "2026-09-01"});
    let enrollment = json!({
        "user": "user:12", "class": "planned_course:9", "school": "educator:academy", "role": "student",
        "beginDate": "2026-09-01",
    });
    for status in ["confirmed", "active", "completed"] {
        assert_maps("Enrollment", &body(status), json!({"enrollment enrollment:7": enrollment}));
    }
    assert_maps("Enrollment", &body("canceled"), json!({}));
    let body = json!({"id": 7, "planned_course_id": 9, "teacher_id": 5, "teacher_role_id": 1});
    let teacher = json!({
        "user": "user:5", "class": "planned_course:9", "school": "educator:academy", "role": "teacher",
    });
    assert_maps("TeacherEnrollment", &body, json!({"enrollment teacher_enrollment:7": teacher}));
}

#[test]
fn a_certificate_is_held_even_by_those_who_left() {
    let enrollment = json!({
        "user": "user:12", "class": "program_edition:20", "school": "educator:academy", "role": "student",
    });
    let credential = json!({
        "credentialCategory": "certificate", "holder": "user:12", "issuer": "educator:academy",
        "awardedDate": "2026-08-30", "class": "program_edition:20",
    });
    let (id, held) = ("enrollment program_enrollment:4", "credential program_enrollment:4");
    let table = [
        ("confirmed", false, json!({id: enrollment})),
        ("confirmed", true, json!({id: enrollment, held: credential})),
        ("canceled", true, json!({held: credential})),
        ("canceled", false, json!({})),
    ];
    for (state, certified, expected) in table {
        let mut body = json!({"id": 4, "student_id": 12, "edition_id": 20, "state": state});
        if certified {
            body["certificate_template_id"] = json!(1);
            body["certificate_awarded_at"] = json!(CREATED);
        }
        assert_maps("ProgramEnrollment", &body, expected);
    }
}

#[test]
fn places_are_in_places() {
    let address = json!({
        "addressee": "Reception", "address": "Street 1", "address_line2": null, "postal_code": "2611 AA",
        "city": "Delft", "country": "NL", "state_province": null,
    });
    let body = json!({"id": 4, "name": "Delft", "address": address});
    let address = json!({
        "name": "Reception", "streetAddress": "Street 1", "postalCode": "2611 AA", "addressLocality": "Delft",
        "addressCountry": "NL",
    });
    let campus = json!({"name": "Delft", "type": "campus", "address": address});
    assert_maps("CourseLocation", &body, json!({"location course_location:4": campus}));
    let body = json!({"id": 6, "course_location_id": 4, "name": "Workshop", "capacity": 12});
    let room = json!({
        "name": "Workshop", "type": "room", "maximumAttendeeCapacity": 12, "containedInPlace": "course_location:4",
    });
    assert_maps("MeetingLocation", &body, json!({"location meeting_location:6": room}));
}

#[test]
fn a_meeting_is_an_event_with_its_teachers_and_places() {
    let (start, end) = ("2026-09-01T09:00:00.000Z", "2026-09-01T12:00:00.000Z");
    let body = json!({
        "id": 40, "name": "Safety", "planned_course_id": 9, "start_date_time": start, "end_date_time": end,
        "meeting_location_id": 6, "planning_meeting_location_ids": [6, 7], "planning_materials": [],
        "planning_attendees": [{"id": 1, "teacher_id": 5, "attendable_type": "Meeting", "attendable_id": 40}, {"id": 2}],
    });
    let event = json!({
        "title": "Safety", "type": "lesson", "start": start, "end": end, "class": "planned_course:9",
        "places": ["meeting_location:6", "meeting_location:7"], "attendees": ["user:5"],
    });
    assert_maps("Meeting", &body, json!({"event meeting:40": event}));
    let body = json!({"id": 2, "meeting_id": 40, "start_date_time": start, "end_date_time": end});
    let event = json!({
        "title": "planning_event:2", "type": "ext:planning", "start": start, "end": end, "superEvent": "meeting:40",
    });
    assert_maps("PlanningEvent", &body, json!({"event planning_event:2": event}));
}

#[test]
fn attendances_grades_and_credits_are_somebodys() {
    let table = [
        ("attended", json!({"attendanceStatus": "present"})),
        ("late", json!({"attendanceStatus": "late"})),
        ("absent", json!({"attendanceStatus": "absent", "excused": false})),
        ("absent_with_leave", json!({"attendanceStatus": "absent", "excused": true})),
    ];
    for (state, mut expected) in table {
        let body =
            json!({"id": 1, "meeting_id": 40, "enrollment_id": 7, "state": state, "student_id": 12, "comment": "bus"});
        let more = json!({"user": "user:12", "event": "meeting:40", "reason": "bus"});
        expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_maps("Attendance", &body, json!({"attendance attendance:1": expected}));
    }
    assert_maps("Attendance", &json!({"id": 1, "meeting_id": 40, "enrollment_id": 7, "state": "blanco"}), json!({}));

    let body = json!({
        "id": 8, "gradeable_id": 7, "gradeable_type": "Enrollment", "student_id": 12, "score": "7.50", "grade": "B",
        "comment": "", "created_at": CREATED,
    });
    let result = json!({
        "student": "user:12", "scoreStatus": "fully graded", "scoreDate": "2026-08-30", "score": 7.5, "textScore": "B",
    });
    assert_maps("Grade", &body, json!({"result grade:8": result}));
    let (entities, diagnostics) = run("Grade", &json!({"id": 8, "gradeable_id": 7, "gradeable_type": "Thesis"}));
    assert!(entities.is_empty());
    assert_eq!((diagnostics[0].code.as_str(), diagnostics[0].pointer.as_str()), ("no-student", "/gradeable_id"));

    let body = json!({"id": 5, "student_id": 12, "credits": 2.5, "course_id": 3, "created_at": CREATED});
    let credential = json!({
        "credentialCategory": "credit", "holder": "user:12", "creditsEarned": 2.5, "awardedDate": "2026-08-30",
        "course": "course:3",
    });
    assert_maps("Credit", &body, json!({"credential credit:5": credential}));
}

#[test]
fn the_catalogue_is_products_and_offers() {
    let body = json!({"id": 2, "name": "Metal", "position": 1, "parent_id": 1, "description": null});
    let category = json!({"name": "Metal", "position": 1, "parent": "category:1"});
    assert_maps("Category", &body, json!({"category category:2": category}));
    let product = |of: &str| json!({"id": 5, "productable_type": of, "productable_id": 3, "position": 1});
    assert_maps("CatalogProduct", &product("Course"), json!({"product catalog_product:5": {"course": "course:3"}}));
    let sold = json!({"product catalog_product:5": {"program": "program:3"}});
    assert_maps("CatalogProduct", &product("Program::Program"), sold);
    for (of, class) in [("PlannedCourse", "planned_course:9"), ("Program::Edition", "program_edition:9")] {
        let body = json!({"id": 70, "product_id": 5, "variantable_type": of, "variantable_id": 9, "sku": "W1-9"});
        let offer = json!({"itemOffered": "catalog_product:5", "sku": "W1-9", "class": class});
        assert_maps("CatalogVariant", &body, json!({"offer catalog_variant:70": offer}));
    }
}

#[test]
fn an_order_says_who_asks_for_whom_and_who_pays() {
    for (status, word) in
        [("requested", "requested"), ("active", "approved"), ("denied", "denied"), ("canceled", "cancelled")]
    {
        let body = json!({
            "id": 30, "number": 14, "status": status, "catalog_variant_id": 70, "creator_id": 12, "account_id": 3,
            "total_cost_incl": "120.94", "label_ids": [4], "created_at": CREATED, "customer_comment": "please",
            "order_items": [{"id": 1, "order_id": 30, "student_id": 13}],
        });
        let order = json!({
            "orderNumber": "14", "orderStatus": word, "orderDate": "2026-08-30", "customer": "user:12",
            "billedTo": "account:3", "acceptedOffer": "catalog_variant:70", "students": ["user:13"], "price": "120.94",
            "priceCurrency": "EUR", "comment": "please", "tags": ["label:4"],
        });
        assert_maps("Order", &body, json!({"order order:30": order}));
    }
}

#[test]
fn an_invoice_says_what_is_still_to_pay() {
    for (status, word) in [("concept", "ext:draft"), ("open", "due"), ("expired", "pastDue"), ("paid", "complete")] {
        let body = json!({
            "id": 50, "status": status, "account_id": 3, "number": "2026-00001", "opened_at": CREATED,
            "expiration_date": "2026-09-29", "total_excl": "99.95", "total_incl": "120.94", "total_open": "20.94",
            "invoice_items": [{"id": 1, "name": "Welding", "units": 1, "unit_price": "99.95", "catalog_variant_id": 70}],
        });
        let invoice = json!({
            "identifier": "2026-00001", "customer": "account:3", "paymentStatus": word, "issueDate": "2026-08-30",
            "paymentDueDate": "2026-09-29", "totalExcludingTax": "99.95", "totalIncludingTax": "120.94",
            "totalPaymentDue": "20.94", "priceCurrency": "EUR",
            "lines": [{"name": "Welding", "quantity": "1", "unitPrice": "99.95"}],
        });
        assert_maps("Invoice", &body, json!({"invoice invoice:50": invoice}));
    }
    for (status, word) in [
        ("new", "potential"),
        ("open", "active"),
        ("paid", "completed"),
        ("failed", "failed"),
        ("internal_server_error", "failed"),
    ] {
        let body = json!({
            "id": 1, "invoice_id": 50, "amount": "100.00", "currency": "EUR", "status": status, "date": "2026-08-30",
            "payment_method_id": 2,
        });
        let payment = json!({
            "price": "100.00", "priceCurrency": "EUR", "actionStatus": word, "paymentDate": "2026-08-30",
            "paymentMethodId": "2", "invoice": "invoice:50",
        });
        assert_maps("Payment", &body, json!({"payment payment:1": payment}));
    }
}

#[test]
fn a_lead_is_who_may_come_to_ask() {
    for (status, word) in
        [("prospect", "open"), ("waiting_list", "waiting"), ("won", "won"), ("lost", "lost"), ("archive", "archived")]
    {
        let body = json!({
            "id": 60, "title": "Forge", "status": status, "first_name": "Fay", "last_name": "Moss",
            "company_name": "Forge Ltd", "email": "fay@forge.example", "phone": "015", "value": "500", "user_id": 12,
            "account_id": 3, "administrator_id": 90, "label_ids": [4], "lead_products": [{"catalog_product_id": 5}],
        });
        let lead = json!({
            "title": "Forge", "leadStatus": word, "givenName": "Fay", "familyName": "Moss", "worksFor": "Forge Ltd",
            "email": "fay@forge.example", "telephone": "015", "value": "500", "priceCurrency": "EUR", "user": "user:12",
            "org": "account:3", "owner": "user:90", "tags": ["label:4"], "products": ["catalog_product:5"],
        });
        assert_maps("Lead", &body, json!({"lead lead:60": lead}));
    }
}

#[test]
fn a_task_is_about_what_it_names() {
    let table = [
        ("Course", "course", "course:3"),
        ("PlannedCourse", "class", "planned_course:3"),
        ("Program::Program", "program", "program:3"),
        ("Program::Edition", "class", "program_edition:3"),
        ("Account", "org", "account:3"),
        ("User", "user", "user:3"),
        ("Lead", "lead", "lead:3"),
        ("Order", "order", "order:3"),
        ("Invoice", "invoice", "invoice:3"),
    ];
    for (of, field, id) in table {
        let body = json!({
            "id": 1, "name": "Call", "due_date": "2026-09-01", "assignee_id": 5, "subject_type": of, "subject_id": 3,
            "completed_at": CREATED,
        });
        let mut task = json!({"summary": "Call", "due": "2026-09-01", "attendee": "user:5", "completed": CREATED});
        task[field] = json!(id);
        assert_maps("Task", &body, json!({"task task:1": task}));
    }
    assert_maps("Task", &json!({"id": 1, "name": "Call"}), json!({"task task:1": {"summary": "Call"}}));
    for (of, word) in [("Order", "order"), ("Catalog::Product", "product")] {
        let body = json!({"id": 4, "name": "urgent", "color": "#777777", "model_type": of});
        let tag = json!({"name": "urgent", "color": "#777777", "inDefinedTermSet": word});
        assert_maps("Label", &body, json!({"tag label:4": tag}));
    }
}
