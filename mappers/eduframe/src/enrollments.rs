//! Turns those who take and teach planned courses and editions into enrollments, and certificates into credentials. What
//! is cancelled is not said any more.

use rollcall_mapper_sdk::Contributions;
use rollcall_mapper_sdk::canonical::{Credential, CredentialCredentialCategory, Enrollment, EnrollmentRole};

use crate::partner::{self, EnrollmentStatus, ProgramEnrollmentState};
use crate::{Options, day, ids};

/// A student of a planned course.
pub(crate) fn map_enrollment(enrollment: &partner::Enrollment<'_>, options: &Options, out: &mut Contributions) {
    if enrollment.status == Some(EnrollmentStatus::Canceled) {
        return;
    }
    let school = options.say_educator(out);
    out.add(
        &ids::enrollment(enrollment.id),
        &Enrollment {
            user: Some(ids::user(enrollment.student_id).into()),
            class: Some(ids::planned_course(enrollment.planned_course_id).into()),
            school: Some(school),
            role: Some(EnrollmentRole::Student),
            begin_date: day(enrollment.start_date.as_ref()),
            end_date: day(enrollment.end_date.as_ref()),
            ..Enrollment::default()
        },
    );
}

/// A teacher of a planned course.
pub(crate) fn map_teacher_enrollment(
    link: &partner::TeacherEnrollment<'_>,
    options: &Options,
    out: &mut Contributions,
) {
    let school = options.say_educator(out);
    out.add(
        &ids::teacher_enrollment(link.id),
        &Enrollment {
            user: Some(ids::user(link.teacher_id).into()),
            class: Some(ids::planned_course(link.planned_course_id).into()),
            school: Some(school),
            role: Some(EnrollmentRole::Teacher),
            ..Enrollment::default()
        },
    );
}

/// A student of an edition, and the certificate.
pub(crate) fn map_program_enrollment(
    enrollment: &partner::ProgramEnrollment<'_>,
    options: &Options,
    out: &mut Contributions,
) {
    let id = ids::program_enrollment(enrollment.id);
    let student = ids::user(enrollment.student_id);
    let class = ids::program_edition(enrollment.edition_id);
    if enrollment.certificate_template_id.is_some() {
        let issuer = options.say_educator(out);
        out.add(
            &id,
            &Credential {
                credential_category: Some(CredentialCredentialCategory::Certificate),
                holder: Some((&student).into()),
                issuer: Some(issuer),
                awarded_date: day(enrollment.certificate_awarded_at.as_ref()),
                class: Some((&class).into()),
                ..Credential::default()
            },
        );
    }
    if enrollment.state == Some(ProgramEnrollmentState::Canceled) {
        return;
    }
    let school = options.say_educator(out);
    out.add(
        &id,
        &Enrollment {
            user: Some(student.into()),
            class: Some(class.into()),
            school: Some(school),
            role: Some(EnrollmentRole::Student),
            ..Enrollment::default()
        },
    );
}
