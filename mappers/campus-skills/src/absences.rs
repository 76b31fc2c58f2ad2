//! Turns the absences of one learner into attendances. The learner is known by an address only, so none refers to a user.

use rollcall_mapper_sdk::canonical::{Attendance, AttendanceAttendanceStatus};
use rollcall_mapper_sdk::{Contributions, Refusal, Text};

use crate::partner::{AbsenceType, AbsencesApprenant};
use crate::{dates, ids};

/// Says when the learner was missing or late.
pub(crate) fn map_absences(absences: &AbsencesApprenant<'_>, out: &mut Contributions) -> Result<(), Refusal> {
    for (nth, absence) in absences.data.iter().enumerate() {
        let start = instant(nth, [("dateStart", &absence.date_start), ("dateDebut", &absence.date_debut)])?;
        let end = instant(nth, [("dateEnd", &absence.date_end), ("dateFin", &absence.date_fin)])?;
        let status = match absence.r#type {
            AbsenceType::Absence => AttendanceAttendanceStatus::Absent,
            AbsenceType::Retard => AttendanceAttendanceStatus::Late,
        };
        out.add(
            &ids::absence_id(&absences.email, absence.r#type.as_str(), &start),
            &Attendance {
                email: Some((&absences.email).into()),
                start: Some((&start).into()),
                end: Some((&end).into()),
                attendance_status: Some(status),
                excused: absence.is_justifie.or(absence.is_jusitifie),
                reason: absence.motif.as_ref().map(Into::into),
                ..Attendance::default()
            },
        );
    }
    Ok(())
}

/// The instant under the newer name or the older one.
fn instant(nth: usize, names: [(&str, &Option<Text<'_>>); 2]) -> Result<String, Refusal> {
    let sent = names.into_iter().find_map(|(name, text)| Some((name, text.as_ref()?)));
    let (name, text) = sent.ok_or_else(|| Refusal::new("date", format!("/data/{nth}"), "lacks a date"))?;
    dates::time(text, &format!("/data/{nth}/{name}"))
}
