//! Several policies and a default, asked one right at a time.

use std::ops::Bound;
use std::sync::Arc;

use super::level::{Access, Level};
use super::resource::Resource;
use super::rules::{Named, Names, Rules};

/// What holds where no rule says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultPolicy {
    /// Nothing is allowed.
    Deny,
    /// Everything is allowed but tokens and policies.
    Allow,
}

/// What a token may do.
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use peering_core::acl::{Access, Authorizer, DefaultPolicy, Resource, Rules};
///
/// let rules = Arc::new(Rules::parse(r#"operator = "read""#)?);
/// let authorizer = Authorizer::new(vec![rules], DefaultPolicy::Deny);
/// assert!(authorizer.allows(Resource::Peering, "", Access::Read));
/// assert!(!authorizer.allows(Resource::Peering, "", Access::Write));
/// # Ok::<(), peering_core::acl::RulesError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Authorizer {
    policies: Vec<Arc<Rules>>,
    default: DefaultPolicy,
}

impl Authorizer {
    /// Puts policies and a default together.
    #[must_use]
    pub const fn new(policies: Vec<Arc<Rules>>, default: DefaultPolicy) -> Self {
        Self { policies, default }
    }

    /// Says whether an access to the thing of this name is allowed; the name does not count for a resource that is one
    /// whole.
    #[must_use]
    pub fn allows(&self, resource: Resource, name: &str, access: Access) -> bool {
        match self.said(resource, name) {
            Some(level) => level.allows(access),
            // Consul's default of allowing stops before tokens and policies.
            None => self.default == DefaultPolicy::Allow && resource != Resource::Acl,
        }
    }

    fn said(&self, resource: Resource, name: &str) -> Option<Level> {
        match resource {
            Resource::Peering | Resource::Mesh => self.whole(resource).or_else(|| self.whole(Resource::Operator)),
            Resource::Intention => self.named(Resource::Service, name).map(Named::of_intentions),
            _ if resource.is_whole() => self.whole(resource),
            _ => self.named(resource, name).map(|said| said.level),
        }
    }

    fn whole(&self, resource: Resource) -> Option<Level> {
        self.policies.iter().filter_map(|rules| rules.whole(resource)).reduce(Level::or)
    }

    /// Finds what the rules for exactly this name say, else those for the longest prefix of it.
    fn named(&self, resource: Resource, name: &str) -> Option<Named> {
        let names = || self.policies.iter().filter_map(|rules| rules.names(resource));
        let exact = names().filter_map(|names| names.exact.get(name)).copied().reduce(Named::or);
        exact.or_else(|| {
            let longest = names().filter_map(|names| longest_prefix(names, name)).max_by_key(|prefix| prefix.len())?;
            names().filter_map(|names| names.prefix.get(longest)).copied().reduce(Named::or)
        })
    }
}

fn longest_prefix<'a>(names: &'a Names, name: &str) -> Option<&'a str> {
    // Prefixes of a name sort before it, shorter ones first.
    names
        .prefix
        .range::<str, _>((Bound::Unbounded, Bound::Included(name)))
        .rev()
        .map(|(prefix, _)| prefix.as_str())
        .find(|prefix| name.starts_with(prefix))
}
