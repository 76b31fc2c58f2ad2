//! What New Partner's records become.

use rollcall_mapper_sdk::run_native;
use serde_json::{Value, json};

use crate::NewPartner;

#[test]
fn a_course_is_a_course() {
    let body = json!({"code": "MATH-1", "title": "Mathematics 1", "subject": "Mathematics"});
    let (rows, diagnostics) = run_native::<NewPartner>("Course", &body, &Value::Null, &json!({}));
    assert_eq!(diagnostics, []);
    let [course] = rows.as_slice() else { panic!("one entity, not {}", rows.len()) };
    assert_eq!((course.kind, course.source_id.as_str()), ("course", "course:MATH-1"));
    let fields = json!({"title": "Mathematics 1", "courseCode": "MATH-1", "subjects": ["Mathematics"]});
    assert_eq!(json!(course.fields), fields);
}
