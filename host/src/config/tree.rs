//! Where the file's children stand: names found, circles and depths known, and the whole put together.

use std::collections::{HashMap, HashSet};

use super::child::{Child, Place, Sown};
use super::problem::{Problems, perhaps};
use super::section::{Once, Section};
use crate::model::{ActorName, ChildSpec, Children, SUPERVISOR_DEPTH, SupervisorSpec, Template};

/// Supervisors of a circle that are named; the rest is counted.
const CIRCLE_NAMES: usize = SUPERVISOR_DEPTH;

/// The children under the root with all that is below them, in the order of the file, and the templates. Both are empty
/// if anything was wrong, here or before.
pub(super) fn grow(
    children: Vec<Child<'_>>,
    templates: Vec<Sown<'_>>,
    problems: &mut Problems,
) -> (Vec<ChildSpec>, Vec<Template>) {
    let above = check(&children, &templates, problems);
    if !problems.none() {
        return Default::default();
    }
    let mut below = vec![Vec::new(); children.len()];
    for (at, above) in above.iter().enumerate() {
        if let Some(above) = above {
            below[*above].push(at);
        }
    }
    let mut specs: Vec<_> = children.into_iter().map(|child| Some(child.spec)).collect();
    let roots = (0..specs.len()).filter(|at| above[*at].is_none());
    let grown = roots.filter_map(|root| assemble(root, &mut specs, &below)).collect();
    (grown, templates.into_iter().map(|sown| sown.template).collect())
}

/// The child `at` with those below it. The depth was checked, and so bounds the recursion.
fn assemble(at: usize, specs: &mut [Option<ChildSpec>], below: &[Vec<usize>]) -> Option<ChildSpec> {
    let mut spec = match specs[at].take()? {
        ChildSpec::Supervisor(spec) => spec,
        actor @ ChildSpec::Actor(_) => return Some(actor),
    };
    for child in &below[at] {
        if let Some(child) = assemble(*child, specs, below) {
            spec = spec.child(child);
        }
    }
    Some(spec.into())
}

/// Tells what is wrong between children. Gives what each stands directly below; none: the root, or nothing that is known.
fn check(children: &[Child<'_>], templates: &[Sown<'_>], problems: &mut Problems) -> Vec<Option<usize>> {
    let names = Names::of(children, templates, problems);
    let mut find = |place, section, dynamic| names.find(place, (section, dynamic), children, problems);
    let above: Vec<_> = children.iter().map(|child| find(&child.place, &child.section, false)).collect();
    let sown: Vec<_> = templates.iter().map(|sown| find(&sown.place, &sown.section, true)).collect();
    let (depths, circles) = depths(&above);
    for circle in circles {
        let first = &children[circle[0]].section;
        let text =
            format!("`supervisor` in {}: supervisors stand in a circle: {}", first.label, told(&circle, children));
        problems.add(first.place("supervisor"), text);
    }
    for ((child, above), depth) in children.iter().zip(&above).zip(depths.iter()) {
        fits(&child.spec, (&child.section, &child.place), (above.map(|above| &children[above]), *depth), problems);
    }
    for (sown, above) in templates.iter().zip(sown) {
        let depth = above.map_or(Some(1), |above| depths[above].map(|depth| depth + 1));
        let spec = ChildSpec::from(sown.template.spec().clone());
        fits(&spec, (&sown.section, &sown.place), (above.map(|above| &children[above]), depth), problems);
    }
    above
}

/// Tells what is wrong with one child by itself and in its place.
fn fits(
    spec: &ChildSpec,
    (section, place): (&Section<'_>, &Place),
    (above, depth): (Option<&Child<'_>>, Option<usize>),
    problems: &mut Problems,
) {
    let label = &section.label;
    let above = above.and_then(|above| supervisor(&above.spec));
    for (key, what) in spec.unfit(above) {
        problems.add(section.place(key), format!("{label}: {what}"));
    }
    if spec.significant() && *place == Place::Root {
        let text =
            format!("{label}: it is significant, and stands under the root, which ends with none of its children");
        problems.add(section.place("significant"), text);
    }
    // What is deeper still is so for the same reason.
    if depth == Some(SUPERVISOR_DEPTH + 1) {
        problems.add(section.place("supervisor"), format!("{label}: it is nested more than {SUPERVISOR_DEPTH} deep"));
    }
}

fn supervisor(spec: &ChildSpec) -> Option<&SupervisorSpec> {
    match spec {
        ChildSpec::Supervisor(spec) => Some(spec),
        ChildSpec::Actor(_) => None,
    }
}

/// Who has which name.
struct Names<'c> {
    /// The first supervisor of each.
    supervisors: HashMap<&'c ActorName, usize>,
    actors: HashSet<&'c ActorName>,
}

impl<'c> Names<'c> {
    /// A name or pattern that is there twice is a problem.
    fn of(children: &'c [Child<'_>], templates: &[Sown<'_>], problems: &mut Problems) -> Self {
        let mut names = Self { supervisors: HashMap::new(), actors: HashSet::new() };
        let mut once = Once::default();
        for (at, child) in children.iter().enumerate() {
            let Some(name) = &child.name else { continue };
            let kind = match child.spec {
                ChildSpec::Actor(_) => "[[actor]]",
                ChildSpec::Supervisor(_) => "[[supervisor]]",
            };
            once.take(name.as_str(), kind, (&child.section, "name"), problems);
            match child.spec {
                ChildSpec::Actor(_) => drop(names.actors.insert(name)),
                ChildSpec::Supervisor(_) => drop(names.supervisors.entry(name).or_insert(at)),
            }
        }
        let patterns: Vec<_> = templates.iter().map(|sown| sown.template.pattern.to_string()).collect();
        let mut once = Once::default();
        for (sown, pattern) in templates.iter().zip(&patterns).filter(|(sown, _)| sown.has_pattern) {
            once.take(pattern, "[[actors]]", (&sown.section, "pattern"), problems);
        }
        names
    }

    /// The supervisor that a section says it stands below, which is to be dynamic or not. None: the root, or nothing that
    /// is known, which is a problem.
    fn find(
        &self,
        place: &Place,
        (section, dynamic): (&Section<'_>, bool),
        children: &[Child<'_>],
        problems: &mut Problems,
    ) -> Option<usize> {
        let Place::Below(name) = place else { return None };
        let found = self.supervisors.get(name).copied();
        let spec = found.and_then(|at| supervisor(&children[at].spec));
        let what = match spec.map(|spec| matches!(spec.children, Children::Dynamic { .. })) {
            Some(is) if is == dynamic => return found,
            Some(true) => format!(
                "`{name}` is dynamic: its children come at run time, or from [[actors]]; take its `dynamic` away, or name another"
            ),
            Some(false) => format!("`{name}` is not dynamic, as one above [[actors]] is; add `dynamic = true` to it"),
            None if self.actors.contains(name) => format!("`{name}` is an [[actor]]; expected a [[supervisor]]"),
            None => {
                let meant = perhaps(name.as_str(), self.supervisors.keys().map(|name| name.as_str()));
                format!("no [[supervisor]] has the name `{name}`{meant}")
            }
        };
        problems.add(section.place("supervisor"), format!("`supervisor` in {}: {what}", section.label));
        None
    }
}

/// How deep each stands, 1 directly below the root, from what each stands directly below; none: in a circle, or below
/// one. And each circle once, from its first member upwards.
fn depths(above: &[Option<usize>]) -> (Vec<Option<usize>>, Vec<Vec<usize>>) {
    #[derive(Clone, Copy)]
    enum Seen {
        Not,
        /// On the way up that is being gone, so many steps from its beginning.
        Now(usize),
        Done(Option<usize>),
    }
    let mut seen = vec![Seen::Not; above.len()];
    let mut circles = Vec::new();
    for start in 0..above.len() {
        let mut way: Vec<usize> = Vec::new();
        let mut next = Some(start);
        let mut depth = loop {
            let Some(at) = next else { break Some(0) };
            match seen[at] {
                Seen::Not => {
                    seen[at] = Seen::Now(way.len());
                    way.push(at);
                    next = above[at];
                }
                Seen::Now(step) => {
                    let mut circle = way[step..].to_vec();
                    let first = circle.iter().enumerate().min_by_key(|(_, at)| **at).map_or(0, |(first, _)| first);
                    circle.rotate_left(first);
                    circles.push(circle);
                    break None;
                }
                Seen::Done(depth) => break depth,
            }
        };
        for at in way.into_iter().rev() {
            depth = depth.map(|depth| depth + 1);
            seen[at] = Seen::Done(depth);
        }
    }
    let depth = |seen| match seen {
        Seen::Done(depth) => depth,
        Seen::Not | Seen::Now(_) => None,
    };
    (seen.into_iter().map(depth).collect(), circles)
}

/// A circle as a problem names it: from its first member round to it again.
fn told(circle: &[usize], children: &[Child<'_>]) -> String {
    let name = |at: &usize| format!("`{}`", children[*at].spec.name());
    let mut names: Vec<String> = circle.iter().take(CIRCLE_NAMES).map(name).collect();
    if circle.len() > CIRCLE_NAMES {
        names.push(format!("{} more", circle.len() - CIRCLE_NAMES));
    }
    names.extend(circle.first().map(name));
    names.join(" below ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_and_circles_are_found_whichever_way_the_file_goes() {
        type Case<'a> = (&'a [Option<usize>], &'a [Option<usize>], &'a [&'a [usize]]);
        let cases: [Case<'_>; 8] = [
            (&[], &[], &[]),
            (&[None, None], &[Some(1), Some(1)], &[]),
            (&[None, Some(0), Some(1), Some(0)], &[Some(1), Some(2), Some(3), Some(2)], &[]),
            (&[Some(1), Some(2), None], &[Some(3), Some(2), Some(1)], &[]),
            (&[Some(0)], &[None], &[&[0]]),
            (&[Some(1), Some(0), None], &[None, None, Some(1)], &[&[0, 1]]),
            // What hangs below a circle is in none, and the circle is told from its own first member.
            (&[Some(3), Some(2), Some(3), Some(1)], &[None; 4], &[&[1, 2, 3]]),
            (&[Some(1), Some(0), Some(2), Some(0)], &[None; 4], &[&[0, 1], &[2]]),
        ];
        for (above, expected, expected_circles) in cases {
            let (depths, circles) = depths(above);
            assert_eq!(depths, expected, "{above:?}");
            assert_eq!(circles, expected_circles, "{above:?}");
        }
    }
}
