// Turns a payload into canonical rows: the same orgs, courses, classes, users and enrollments that Rollcall makes of it.
// Each row is what the statement of its kind binds; a row that comes twice is kept once.

export function map(payload) {
  const rows = { orgs: new Map(), courses: new Map(), classes: new Map(), users: new Map(), enrollments: new Map() };
  for (const branch of payload.branches) mapBranch(rows, branch);
  return rows;
}

function mapBranch(rows, branch) {
  const org = `branch:${branch.id}`;
  rows.orgs.set(org, [org, branch.name, "school", String(branch.id)]);
  for (const schoolClass of branch.classes) {
    const course = `${org}/class:${schoolClass.id}`;
    rows.courses.set(course, [course, schoolClass.name, String(schoolClass.id), org]);
    for (const section of schoolClass.sections) mapSection(rows, org, course, schoolClass, section);
  }
}

function mapSection(rows, org, course, schoolClass, section) {
  const id = `${course}/section:${section.name}`;
  const subjects = section.subjects.map((subject) => subject.name).sort();
  rows.classes.set(id, [id, `${schoolClass.name} ${section.name}`, "homeroom", course, org, JSON.stringify(subjects)]);
  for (const subject of section.subjects) {
    const taught = `${org}/subject:${subject.id}`;
    rows.courses.set(taught, [taught, subject.name, String(subject.id), org]);
    for (const teacher of subject.teachers) {
      const user = mapPerson(rows, org, "teacher", teacher);
      const enrollment = `${id}/teacher:${teacher.user_no}/subject:${subject.id}`;
      const metadata = JSON.stringify({ course: taught });
      rows.enrollments.set(enrollment, [enrollment, user, id, org, "teacher", metadata]);
    }
  }
  for (const student of section.students) {
    const user = mapPerson(rows, org, "student", student);
    const enrollment = `${id}/student:${student.user_no}`;
    rows.enrollments.set(enrollment, [enrollment, user, id, org, "student", null]);
  }
}

function mapPerson(rows, org, role, person) {
  const id = `${role}:${person.user_no}`;
  if (!rows.users.has(id)) {
    const name = person.name_user;
    const space = name.indexOf(" ");
    const given = space < 0 ? name : name.slice(0, space);
    const family = space < 0 ? name : name.slice(space + 1);
    const roles = JSON.stringify([{ roleType: "primary", role, org }]);
    const metadata = JSON.stringify({ name });
    rows.users.set(id, [id, given, family, person.user_email ?? null, String(person.user_no), roles, metadata]);
  }
  return id;
}
