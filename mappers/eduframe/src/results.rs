//! Turns attendances, grades and credits into attendances, results and credentials.

use rollcall_mapper_sdk::canonical::{
    Attendance, AttendanceAttendanceStatus, Credential, CredentialCredentialCategory, Result, ResultScoreStatus,
};
use rollcall_mapper_sdk::{Contributions, Number};

use crate::partner::{self, AttendanceState};
use crate::{day, ids, said};

/// Whether somebody was at a meeting; `blanco` says nothing.
pub(crate) fn map_attendance(attendance: &partner::Attendance<'_>, out: &mut Contributions) {
    let (status, excused) = match attendance.state {
        Some(AttendanceState::Attended) => (AttendanceAttendanceStatus::Present, None),
        Some(AttendanceState::Late) => (AttendanceAttendanceStatus::Late, None),
        Some(AttendanceState::Absent) => (AttendanceAttendanceStatus::Absent, Some(false)),
        Some(AttendanceState::AbsentWithLeave) => (AttendanceAttendanceStatus::Absent, Some(true)),
        Some(AttendanceState::Blanco) | None => return,
    };
    out.add(
        &ids::attendance(attendance.id),
        &Attendance {
            user: attendance.student_id.map(|id| ids::user(id).into()),
            event: Some(ids::meeting(attendance.meeting_id).into()),
            attendance_status: Some(status),
            excused,
            reason: said(attendance.comment.as_ref()),
            ..Attendance::default()
        },
    );
}

/// What an enrollment was judged to be worth.
pub(crate) fn map_grade(grade: &partner::Grade<'_>, out: &mut Contributions) {
    let Some(student) = grade.student_id else {
        out.warn("no-student", "/gradeable_id", "a grade of something else than an enrollment is nobody's");
        return;
    };
    out.add(
        &ids::grade(grade.id),
        &Result {
            student: Some(ids::user(student).into()),
            score_status: Some(ResultScoreStatus::FullyGraded),
            score_date: day(grade.created_at.as_ref()),
            score: grade.score.as_deref().and_then(Number::parse),
            text_score: said(grade.grade.as_ref()),
            comment: said(grade.comment.as_ref()),
            ..Result::default()
        },
    );
}

/// What somebody earned.
pub(crate) fn map_credit(credit: &partner::Credit<'_>, out: &mut Contributions) {
    out.add(
        &ids::credit(credit.id),
        &Credential {
            credential_category: Some(CredentialCredentialCategory::Credit),
            holder: Some(ids::user(credit.student_id).into()),
            credits_earned: Some((&credit.credits).into()),
            description: said(credit.description.as_ref()),
            awarded_date: day(credit.created_at.as_ref()),
            course: credit.course_id.map(|id| ids::course(id).into()),
            ..Credential::default()
        },
    );
}
