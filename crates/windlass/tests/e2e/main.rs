//! Whole stories, from a commit to live state, each on the embedded API and on the real kube-apiserver.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a failed scenario shows the log of Windlass")]

mod plane;
mod scenarios;

/// Makes a test of each scenario on one kind of server.
macro_rules! tests {
    ($server:expr; $($(#[$attribute:meta])* $module:ident::$scenario:ident,)*) => {
        $(
            #[tokio::test]
            $(#[$attribute])*
            async fn $scenario() {
                crate::scenarios::$module::$scenario($server).await;
            }
        )*
    };
}

/// Makes two tests of each scenario: `embedded::…` and `real::…`.
macro_rules! on_both_servers {
    ($($scenarios:tt)*) => {
        mod embedded {
            tests!(crate::plane::Server::Embedded; $($scenarios)*);
        }
        mod real {
            tests!(crate::plane::Server::Real; $($scenarios)*);
        }
    };
}

on_both_servers! {
    syncing::first_sync_becomes_healthy,
    syncing::new_commit_arrives_by_poll,
    syncing::new_commit_arrives_by_webhook,
    syncing::drift_of_many_objects_is_undone_at_once,
    syncing::heals_drift_by_watch,
    differences::ignored_fields_are_left_alone,
    differences::ignored_fields_are_kept_when_syncing,
    differences::a_declared_status_counts_where_asked_for,
    differences::two_writers_of_a_field_are_named,
    differences::added_fields_are_told_or_taken_away,
    syncing::refresh_annotation_is_taken,
    syncing::creates_the_namespace_with_its_metadata,
    syncing::custom_resource_beside_its_definition,
    syncing::takes_over_applied_objects_unchanged,
    syncing::removes_fields_that_kubectl_applied,
    syncing::history_is_limited,
    takeover::takes_over_what_argo_cd_applied,
    takeover::kubectl_apply_used_again_is_overruled,
    takeover::leaves_fields_where_migration_is_off,
    takeover::leaves_labels_of_a_namespace_that_is_not_declared,
    pruning::prunes_after_health,
    pruning::without_prune_nothing_is_removed,
    pruning::keeps_objects_that_say_so,
    operations::manual_sync,
    operations::request_beside_failing_automation,
    operations::manual_sync_with_prune,
    operations::manual_sync_of_selected_objects,
    operations::operations_with_other_sources,
    waves::expressions_tell_the_health,
    waves::waves_wait_for_health,
    waves::waves_wait_when_planned_anew,
    waves::newer_commit_supersedes_a_stuck_wave,
    hooks::hooks_run_in_their_phases,
    hooks::healing_runs_no_hooks,
    hooks::failed_hook_runs_those_for_failures,
    hooks::terminating_deletes_running_hooks,
    hooks::newer_commit_replaces_a_stuck_hook,
    hooks::helm_hooks_run_as_argo_cd_maps_them,
    hooks::tests_run_when_asked_for,
    hooks::running_hook_survives_a_restart,
    hooks::running_hook_survives_calls_that_fail,
    hooks::hooks_run_around_a_deletion,
    hooks::hooks_that_argo_cd_left_are_let_go,
    hooks::helm_hooks_run_on_their_events,
    hooks::healing_runs_hooks_that_ask_for_it,
    options::duplicate_list_items_are_merged,
    options::force_creates_anew_what_cannot_be_changed,
    options::replace_leaves_nothing_of_others,
    options::validation_can_be_switched_off,
    options::pruning_waits_for_approval,
    options::deleting_waits_for_approval,
    options::shared_object_fails_the_sync,
    bad_input::unparsable_yaml_beside_valid_files,
    bad_input::missing_path,
    bad_input::vanished_branch,
    bad_input::unknown_kind,
    bad_input::invalid_object_among_valid_ones,
    bad_input::symlink_out_of_the_repository,
    bad_input::huge_file,
    bad_input::repository_of_many_files,
    bad_input::unsupported_fields_are_named,
    bad_input::jsonnet_without_end,
    signatures::unsigned_commits_are_not_deployed,
    signatures::unsigned_artifacts_are_not_deployed,
    sharing::replicas_share_the_work,
    sharing::waits_for_units_of_other_replicas,
    sharing::waves_wait_for_applications_of_other_replicas,
    bad_days::git_unreachable_while_drift_is_healed,
    bad_days::api_server_restarts,
    bad_days::killed_in_the_middle_of_a_sync,
    bad_days::killed_at_any_moment,
    bad_days::the_way_to_the_api_is_bad,
    bad_days::dead_cluster_holds_up_no_other,
    bad_days::restart_writes_nothing,
    bad_days::restart_at_a_newer_commit_writes_nothing,
    renderers::helm_chart,
    renderers::broken_helm_chart,
    renderers::values_from_another_source,
    renderers::kustomization,
    renderers::jsonnet_and_a_file_that_overrides_the_source,
    renderers::plugin_by_name_and_by_what_it_looks_for,
    renderers::plugins_are_read_again,
    caching::hard_refresh_goes_past_all_that_is_kept,
    caching::renders_are_shared_through_a_bucket,
    charts::chart_of_a_helm_repository,
    charts::charts_are_shared_through_a_bucket,
    charts::chart_of_a_registry,
    charts::artifact_of_a_registry,
    charts::folder_of_a_bucket,
    charts::archive_at_an_address,
    charts::chart_with_a_dependency,
    charts::chart_of_a_named_repository,
    charts::kustomization_of_things_elsewhere,
    charts::submodules,
    charts::files_that_git_lfs_keeps,
    charts::damaged_files_are_fetched_again,
    projects::project_forbids_the_source,
    projects::project_forbids_the_destination,
    projects::project_forbids_a_kind,
    projects::project_does_not_exist,
    projects::sync_window_holds_up_syncs,
    projects::orphans_are_counted,
    projects::excluded_kinds_are_told,
    projects::a_held_sync_says_so,
    dependencies::applications_wait_for_others,
    dependencies::waves_wait_for_applications,
    projects::service_account_writes,
    projects::projects_inherit,
    deletion::deletion_with_finalizer,
    deletion::deletion_in_the_background,
    deletion::deletion_without_finalizer_leaves_objects,
    verbs::life_of_an_application,
    verbs::ending_an_operation,
    verbs::local_folder_and_actions,
    verbs::taking_over_and_other_clusters,
    administration::projects_from_the_command_line,
    administration::clusters_from_the_command_line,
    administration::cluster_of_single_namespaces,
    administration::clusters_by_programs_are_refused,
    administration::control_plane_as_a_file,
    sources::private_repository,
    sources::ssh_repository,
    sources::local_repository,
    sources::local_folder,
    sources::semver_range,
    sources::tag,
    sources::commit_id,
    sources::two_applications_claim_one_object,
}

/// What there is only one server for.
mod real_only {
    tests! {
        crate::plane::Server::Real;
        bad_days::disk_full,
        install::everything_printed_is_accepted,
        install::installed_rights_are_enough,
        install::rights_can_be_narrowed,
        install::rights_of_single_namespaces,
        install::engine_writes_only_as_others,
    }
}

/// What only the embedded server can be put through.
mod embedded_only {
    tests! {
        crate::plane::Server::Embedded;
        bad_days::disk_full_under_the_api,
    }
}
