//! Certificates, attendances and grades.

use rollcall_mapper_sdk::logic::Class;
use serde_json::json;

use super::{members, office, why};

#[test]
fn a_certificate_says_that_somebody_passed_and_can_be_taken_back() {
    let enrollment = json!({"id": 1, "student_id": 2, "state": "confirmed", "graduation_state": "awaiting_judgement"});
    let mut office = office().with("ProgramEnrollment", enrollment);
    let change = json!({"id": 1, "student_id": 2, "state": "confirmed", "certificate_template_id": 4});
    office.call("award-certificate").about("ProgramEnrollment", 1).change(change).run().unwrap();
    let graduated = ["graduation_state", "graduation_date", "certificate_template_id", "certificate_awarded_at"];
    let expected = json!(["passed", "2026-08-30", 4, "2026-08-30T07:00:00.000Z"]);
    assert_eq!(members(&office, "ProgramEnrollment", 1, &graduated), expected);
    office.call("delete-certificate").about("ProgramEnrollment", 1).run().unwrap();
    let expected = json!(["awaiting_judgement", null, null, null]);
    assert_eq!(members(&office, "ProgramEnrollment", 1, &graduated), expected);
    let decline = office.call("delete-certificate").about("ProgramEnrollment", 1).run().unwrap_err();
    assert_eq!(why(&decline), (Class::Clash, "no-certificate", "graduation_state"));
}

#[test]
fn who_cancelled_gets_no_certificate_and_cannot_cancel_again() {
    let mut office = office().with("ProgramEnrollment", json!({"id": 1, "state": "canceled"}));
    for call in ["award-certificate", "cancel-program-enrollment"] {
        let decline = office.call(call).about("ProgramEnrollment", 1).run().unwrap_err();
        assert_eq!(why(&decline), (Class::Clash, "over", "state"), "{call}");
    }
}

#[test]
fn an_attendance_is_that_of_the_student_who_is_enrolled() {
    let mut office = office()
        .with("Meeting", json!({"id": 4, "planned_course_id": 10}))
        .with("Enrollment", json!({"id": 1, "student_id": 2, "planned_course_id": 10}))
        .with("Enrollment", json!({"id": 2, "student_id": 3, "planned_course_id": 11}));
    let sent = |enrollment: i64| json!({"id": 1, "meeting_id": 4, "enrollment_id": enrollment, "state": "late"});
    office.call("mark-attendance").change(sent(1)).run().unwrap();
    assert_eq!(members(&office, "Attendance", 1, &["student_id", "state"]), json!([2, "late"]));
    for (enrollment, code) in [(2, "elsewhere"), (9, "reference")] {
        let decline = office.call("mark-attendance").change(sent(enrollment)).run().unwrap_err();
        assert_eq!(why(&decline), (Class::Invalid, code, "enrollment_id"));
    }
}

#[test]
fn a_grade_is_that_of_whoever_is_enrolled() {
    let mut office = office()
        .with("Enrollment", json!({"id": 1, "student_id": 2}))
        .with("ProgramEnrollment", json!({"id": 1, "student_id": 3}));
    let table = [
        ("Enrollment", 1, Ok(2)),
        ("Program::Enrollment", 1, Ok(3)),
        ("Enrollment", 9, Err((Class::Invalid, "reference", "gradeable_id"))),
        ("User", 1, Err((Class::Invalid, "enum", "gradeable_type"))),
    ];
    for (of, id, expected) in table {
        let change = json!({"id": 1, "gradeable_type": of, "gradeable_id": id, "grade": "A"});
        let done = office.call("grade").change(change).run();
        match expected {
            Ok(student) => assert_eq!(members(&office, "Grade", 1, &["student_id", "grade"]), json!([student, "A"])),
            Err(expected) => assert_eq!(done.as_ref().err().map(why), Some(expected)),
        }
    }
}
