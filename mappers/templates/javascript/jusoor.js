// Turns Jusoor's branches, classes and sections into schools, courses, classes, people and enrollments.
//
// The same mapper as `mappers/jusoor`, whose head says what becomes of what.

import { distinct, escaped, mapper, split } from "./rollcall.js";

// What a person is: the first part of a source id, and the role in OneRoster.
const ROLES = { student: "student", teacher: "teacher", manager: "principal", admin: "siteAdministrator" };

const KINDS = {
  org: { name: "text", type: "text", identifier: "text" },
  academicSession: { title: "text", startDate: "text", endDate: "text", type: "text", schoolYear: "text" },
  course: { title: "text", courseCode: "text", org: "reference" },
  class: {
    title: "text",
    classType: "text",
    course: "reference",
    school: "reference",
    terms: "nested",
    subjects: "nested",
  },
  user: {
    enabledUser: "text",
    givenName: "text",
    familyName: "text",
    roles: "nested",
    email: "text",
    metadata: "nested",
  },
  enrollment: { user: "reference", class: "reference", school: "reference", role: "text", metadata: "nested" },
};

export const jusoor = {
  partner: "jusoor",
  version: "0.1.0",
  kinds: KINDS,
  records: { Branch: mapBranch, Class: mapClass, Section: mapSection },
};

export const mapping = mapper(jusoor);

// The school itself, its year, and who runs it: its own people and those named beside all branches.
function mapBranch(branch, mirror, options, out) {
  const school = branchId(branch.id);
  out.add("org", school, { name: branch.name, type: "school", identifier: String(branch.id) });
  const year = options.schoolYear;
  if (year) {
    out.add("academicSession", yearId(year), {
      title: year.name,
      startDate: year.start,
      endDate: year.end,
      type: "schoolYear",
      schoolYear: year.end.split("-")[0],
    });
  }
  const people = new Staff(school, branch.id, options, out);
  for (const { managers = [], school_admins: admins = [] } of [branch, mirror]) {
    managers.forEach((person, nth) => people.add("manager", person, `/managers/${nth}`));
    admins.forEach((person, nth) => people.add("admin", person, `/school_admins/${nth}`));
  }
}

// A class of Jusoor is a grade: what is taught there is a course of the school.
function mapClass(grade, branch, _, out) {
  out.add("course", `${branchId(branch.id)}/class:${grade.id}`, {
    title: grade.name,
    courseCode: String(grade.id),
    org: branchId(branch.id),
  });
}

// The class, its subjects, its people, and what they do in it.
function mapSection(section, grade, options, out) {
  const school = branchId(grade.parent.id);
  const course = `${school}/class:${grade.id}`;
  const inClass = { class: `${course}/section:${escaped(section.name)}`, school };
  out.add("class", inClass.class, {
    title: section.name,
    classType: "homeroom",
    course,
    school,
    terms: options.schoolYear ? [yearId(options.schoolYear)] : [],
    subjects: distinct(section.subjects.map((subject) => subject.name)),
  });
  const people = new Staff(school, grade.parent.id, options, out);
  section.students.forEach((student, nth) => {
    const user = people.add("student", student, `/students/${nth}`);
    out.add("enrollment", `${inClass.class}/student:${student.user_no}`, { ...inClass, user, role: "student" });
  });
  section.subjects.forEach((subject, at) => {
    const taught = `${school}/subject:${subject.id}`;
    out.add("course", taught, { title: subject.name, courseCode: String(subject.id), org: school });
    subject.teachers.forEach((teacher, nth) => {
      const user = people.add("teacher", teacher, `/subjects/${at}/teachers/${nth}`);
      const id = `${inClass.class}/teacher:${teacher.user_no}/subject:${subject.id}`;
      out.add("enrollment", id, { ...inClass, user, role: "teacher", metadata: { course: taught } });
    });
  });
}

// The people of one record in one school. Who appears twice and is the same both times is said once.
class Staff {
  constructor(school, branch, options, out) {
    Object.assign(this, { school, branch, options, out, seen: new Map() });
  }

  // Says who the person is; gives the person's id.
  add(role, person, place) {
    const own = `${role}:${person.user_no}`;
    const id = this.options.personScope === "branch" ? `${branchId(this.branch)}/${own}` : own;
    if (!this.seen.has(own)) this.seen.set(own, person);
    const first = this.seen.get(own);
    const same = first.name_user === person.name_user && first.user_email === person.user_email;
    if (first === person || !same) this.say(id, role, person, place);
    return id;
  }

  say(id, role, person, place) {
    const [givenName, familyName] = split(person.name_user);
    if (givenName === "") this.out.warn("no-name", `${place}/name_user`, "the name is empty");
    this.out.add("user", id, {
      enabledUser: "true",
      givenName,
      familyName,
      roles: [{ roleType: "primary", role: ROLES[role], org: this.school }],
      email: person.user_email || undefined,
      metadata: { name: person.name_user },
    });
  }
}

function branchId(branch) {
  return `branch:${branch}`;
}

function yearId(year) {
  return `schoolYear:${escaped(year.name)}`;
}
