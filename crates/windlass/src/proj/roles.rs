//! `windlass proj role`: who may do what with a project's Applications.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use windlass_kube::{Object, Value, value};

use super::change_spec;
use crate::output::{self, Advised, FormatOption, Table, Tone};
use crate::session::{Kind, Session};

/// The list in a project's spec.
const ROLES: &[&str] = &["roles"];

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List a project's roles.
    #[command(visible_alias = "ls")]
    List(ListOptions),
    /// Show a role: its policies, its groups and its tokens.
    Get(GetOptions),
    /// Create a role that may do nothing yet.
    Create(CreateOptions),
    /// Delete a role.
    Delete(Role),
    /// Let a role do something, or deny it.
    #[command(after_help = "\
EXAMPLES
  windlass proj role add-policy payments deployer --action sync --object '*'
  windlass proj role add-policy payments deployer --action delete --permission deny --object '*'")]
    AddPolicy(PolicyOptions),
    /// Take a policy away from a role.
    RemovePolicy(PolicyOptions),
    /// Give a role to a group of the identity provider.
    AddGroup(Group),
    /// Take a role from a group of the identity provider.
    RemoveGroup(Group),
}

#[derive(Debug, Clone, Args)]
pub(super) struct ListOptions {
    /// The project.
    project: String,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Debug, Clone, Args)]
pub(super) struct GetOptions {
    #[command(flatten)]
    role: Role,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Role {
    /// The project.
    project: String,
    /// The role.
    role: String,
}

#[derive(Debug, Clone, Args)]
pub(super) struct CreateOptions {
    #[command(flatten)]
    role: Role,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct PolicyOptions {
    #[command(flatten)]
    role: Role,
    /// What is done, such as get, create, update, delete, sync, override, action/apps/Deployment/restart; * is all.
    #[arg(short, long, value_name = "ACTION")]
    action: String,
    /// The objects in the project that it is done to; globs, * is all.
    #[arg(short, long, value_name = "NAME")]
    object: String,
    /// Whether it is allowed or denied; what is denied anywhere is denied.
    #[arg(short, long, value_enum, default_value_t = Permission::Allow, value_name = "EFFECT")]
    permission: Permission,
    /// What kind of thing it is done to, such as applications, applicationsets, repositories, clusters, logs, exec.
    #[arg(short, long, default_value = "applications", value_name = "KIND")]
    resource: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Permission {
    Allow,
    Deny,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Group {
    #[command(flatten)]
    role: Role,
    /// The group, as the identity provider names it.
    group: String,
}

pub(super) async fn run(session: &Session, verb: &Verb) -> Result<ExitCode> {
    match verb {
        Verb::List(options) => list(session, options).await,
        Verb::Get(options) => get(session, options).await,
        Verb::Create(CreateOptions { role: Role { project, role }, description }) => {
            check_name(role)?;
            change_spec(session, project, &format!("role {role} created"), |spec| {
                let mut roles = spec.items_at(ROLES).to_vec();
                if !roles.iter().any(|other| other.str_at(&["name"]) == Some(role)) {
                    let mut new = value!({"name": (role.as_str())});
                    if let Some(text) = description {
                        new.set_at(&["description"], text.as_str());
                    }
                    roles.push(new);
                    spec.set_at(ROLES, roles);
                }
                Ok(())
            })
            .await
        }
        Verb::Delete(Role { project, role }) => {
            change_spec(session, project, &format!("role {role} deleted"), |spec| {
                let mut roles = spec.items_at(ROLES).to_vec();
                roles.remove(position(&roles, role)?);
                spec.set_at(ROLES, roles);
                Ok(())
            })
            .await
        }
        Verb::AddPolicy(options) => {
            change_list(session, &options.role, "policies", &options.policy()?, true).await
        }
        Verb::RemovePolicy(options) => {
            change_list(session, &options.role, "policies", &options.policy()?, false).await
        }
        Verb::AddGroup(Group { role, group }) => change_list(session, role, "groups", group, true).await,
        Verb::RemoveGroup(Group { role, group }) => change_list(session, role, "groups", group, false).await,
    }
}

impl PolicyOptions {
    /// The line of Casbin's policy, as Argo CD 3.6 writes it.
    fn policy(&self) -> Result<String> {
        let Self { role: Role { project, role }, action, object, permission, resource } = self;
        for (flag, text) in [("action", action), ("object", object), ("resource", resource)] {
            if text.is_empty() || text.contains([',', '\n', '\r']) {
                anyhow::bail!(
                    "--{flag} {text:?}: a policy is a line with commas between its parts, so it holds neither"
                );
            }
        }
        let effect = if *permission == Permission::Allow { "allow" } else { "deny" };
        Ok(format!("p, proj:{project}:{role}, {resource}, {action}, {project}/{object}, {effect}"))
    }
}

/// Adds a text to a list of a role, or takes it away.
async fn change_list(
    session: &Session,
    Role { project, role }: &Role,
    list: &str,
    text: &str,
    adds: bool,
) -> Result<ExitCode> {
    let done = if adds { "now has" } else { "no longer has" };
    change_spec(session, project, &format!("role {role} {done} {text:?}"), |spec| {
        let mut roles = spec.items_at(ROLES).to_vec();
        let idx = position(&roles, role)?;
        let mut entries = roles[idx].items_at(&[list]).to_vec();
        if !adds {
            entries.retain(|entry| entry.as_str() != Some(text));
        } else if !entries.iter().any(|entry| entry.as_str() == Some(text)) {
            entries.push(text.into());
        }
        if entries.len() != roles[idx].items_at(&[list]).len() {
            roles[idx].set_at(&[list], entries);
            spec.set_at(ROLES, roles);
        }
        Ok(())
    })
    .await
}

fn position(roles: &[Value], role: &str) -> Result<usize> {
    roles.iter().position(|other| other.str_at(&["name"]) == Some(role)).ok_or_else(|| {
        let names: Vec<&str> = roles.iter().filter_map(|role| role.str_at(&["name"])).collect();
        let advice = match names[..] {
            [] => "the project has no roles; `windlass proj role create PROJECT ROLE` makes one".to_owned(),
            _ => format!("those there are: {}", names.join(", ")),
        };
        Advised::error(format!("the project has no role {role:?}"), advice)
    })
}

/// What Argo CD 3.6 takes as a role's name.
fn check_name(role: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if role.chars().all(fits) && ends_well(role.chars().next()) && ends_well(role.chars().next_back()) {
        return Ok(());
    }
    Err(Advised::error(
        format!("{role:?} is no name of a role"),
        "letters, digits, - and _, with a letter or a digit at both ends",
    ))
}

async fn list(session: &Session, options: &ListOptions) -> Result<ExitCode> {
    let project = session.get_of(&Kind::project(), &options.project).await?;
    let roles = project.items_at(&["spec", "roles"]);
    let names = roles.iter().filter_map(|role| role.str_at(&["name"]));
    let text = match options.format.output.for_programs(|| Value::from(roles.to_vec()), names) {
        Some(text) => text,
        None if roles.is_empty() => {
            output::note(&format!("Project {} has no roles.", options.project));
            return Ok(ExitCode::SUCCESS);
        }
        None => table(&project).print(session.paint),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The roles of a project.
pub(super) fn table(project: &Object) -> Table {
    let mut table = Table::new(["ROLE", "POLICIES", "GROUPS", "TOKENS", "DESCRIPTION"]);
    for role in project.items_at(&["spec", "roles"]) {
        let groups: Vec<&str> = role.items_at(&["groups"]).iter().filter_map(Value::as_str).collect();
        table.row([
            role.str_at(&["name"]).unwrap_or_default().to_owned(),
            role.items_at(&["policies"]).len().to_string(),
            if groups.is_empty() { "-".into() } else { groups.join(",") },
            role.items_at(&["jwtTokens"]).len().to_string(),
            role.str_at(&["description"]).unwrap_or_default().to_owned(),
        ]);
    }
    table
}

async fn get(session: &Session, options: &GetOptions) -> Result<ExitCode> {
    let Role { project, role } = &options.role;
    let object = session.get_of(&Kind::project(), project).await?;
    let roles = object.items_at(&["spec", "roles"]);
    let found = &roles[position(roles, role)?];
    let text = match options.format.output.for_programs(|| found.clone(), [role]) {
        Some(text) => text,
        None => {
            let mut text = format!("{} {role}\n", session.paint.tone(Tone::Strong, "Role"));
            if let Some(description) = found.str_at(&["description"]) {
                let _ = writeln!(text, "{description}");
            }
            for (heading, field) in [("Policies", "policies"), ("Groups", "groups")] {
                let _ = writeln!(text, "{}", session.paint.tone(Tone::Strong, heading));
                let entries = found.items_at(&[field]);
                for entry in entries.iter().filter_map(Value::as_str) {
                    let _ = writeln!(text, "  {entry}");
                }
                if entries.is_empty() {
                    text.push_str("  none\n");
                }
            }
            let tokens = found.items_at(&["jwtTokens"]);
            if !tokens.is_empty() {
                let mut table = Table::new(["TOKEN", "ISSUED", "EXPIRES"]);
                for token in tokens {
                    let time = |field| match token.int_at(&[field]) {
                        None | Some(0) => "never".to_owned(),
                        Some(at) => windlass_model::Time::from_unix(at).to_string(),
                    };
                    table.row([token.str_at(&["id"]).unwrap_or("-").to_owned(), time("iat"), time("exp")]);
                }
                text.push_str(&table.print(session.paint));
            }
            text
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(object: &str, permission: Permission) -> PolicyOptions {
        PolicyOptions {
            role: Role { project: "shop".into(), role: "ci".into() },
            action: "sync".into(),
            object: object.into(),
            permission,
            resource: "applications".into(),
        }
    }

    /// The form is that of `argocd proj role add-policy` 3.6.
    #[test]
    fn policies_are_lines() {
        assert_eq!(
            options("*", Permission::Allow).policy().unwrap(),
            "p, proj:shop:ci, applications, sync, shop/*, allow"
        );
        assert_eq!(
            options("web", Permission::Deny).policy().unwrap(),
            "p, proj:shop:ci, applications, sync, shop/web, deny"
        );
        assert!(options("*, allow\np, x", Permission::Deny).policy().is_err());
    }

    #[test]
    fn names_of_roles() {
        for name in ["ci", "ci-2", "a_b"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "-ci", "ci-", "a b", "a:b"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
