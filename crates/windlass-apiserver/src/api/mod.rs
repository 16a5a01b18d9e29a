//! The Kubernetes API in process: verbs on resources, with everything an API server does around them.

mod options;

use std::sync::Arc;

use windlass_kube::{Gvk, Object, Str};

use crate::resource::{Gvr, Resource};
use crate::status::Status;
use crate::store::Store;

pub use options::{
    DeleteOptions, Deleted, FieldValidation, ListOptions, ObjectList, Patch, Propagation, UserInfo,
    WatchOptions, WriteOptions, Written,
};
pub use watch::{Watch, WatchEvent};

mod watch;

/// The API, as one user. Clones share everything; cloning costs a reference count.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
    user: Arc<UserInfo>,
    /// The field manager of writes that name none.
    field_manager: Str,
}

/// What all handles share.
pub(crate) struct Shared {
    pub(crate) store: Store,
}

impl Api {
    /// The API over a store, as an administrator.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            shared: Arc::new(Shared { store }),
            user: Arc::new(UserInfo::admin("system:admin")),
            field_manager: "windlass".into(),
        }
    }

    /// The same API as another user.
    #[must_use]
    pub fn as_user(&self, user: UserInfo) -> Self {
        Self { user: Arc::new(user), ..self.clone() }
    }

    /// The same API with another field manager for writes that name none.
    #[must_use]
    pub fn with_field_manager(&self, field_manager: impl Into<Str>) -> Self {
        Self { field_manager: field_manager.into(), ..self.clone() }
    }

    /// Who this handle acts as.
    #[must_use]
    pub fn user(&self) -> &UserInfo {
        &self.user
    }

    /// The store underneath.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The resource that holds objects of a kind; `None` while no such kind is served.
    #[must_use]
    pub fn resource_for(&self, gvk: &Gvk) -> Option<Arc<Resource>> {
        let _ = gvk;
        None
    }

    /// Every resource that is served, at each of its versions.
    #[must_use]
    pub fn resources(&self) -> Vec<Arc<Resource>> {
        Vec::new()
    }

    /// Reads one object. The namespace is empty for cluster-scoped resources.
    ///
    /// # Errors
    ///
    /// `NotFound`, in the server's words.
    pub fn get(&self, gvr: &Gvr, namespace: &str, name: &str) -> Result<Object, Status> {
        let _ = (gvr, namespace, name);
        Err(Status::no_such_resource())
    }

    /// Lists objects of a namespace, or of all with `None`.
    ///
    /// # Errors
    ///
    /// A selector that cannot be read, a continue token that is too old.
    pub fn list(
        &self,
        gvr: &Gvr,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<ObjectList, Status> {
        let _ = (gvr, namespace, options);
        Err(Status::no_such_resource())
    }

    /// Follows the objects of a namespace, or of all with `None`.
    ///
    /// # Errors
    ///
    /// `Expired` when the resource version is too old.
    pub fn watch(&self, gvr: &Gvr, namespace: Option<&str>, options: &WatchOptions) -> Result<Watch, Status> {
        let _ = (gvr, namespace, options);
        Err(Status::no_such_resource())
    }

    /// Creates an object.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `Invalid`, and what else the server refuses.
    pub async fn create(
        &self,
        gvr: &Gvr,
        namespace: &str,
        object: Object,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let _ = (gvr, namespace, object, options);
        Err(Status::no_such_resource())
    }

    /// Replaces an object; its resource version, if set, must be the present one.
    ///
    /// # Errors
    ///
    /// `Conflict` when the object has changed since it was read; `NotFound`, `Invalid`.
    pub async fn update(
        &self,
        gvr: &Gvr,
        namespace: &str,
        name: &str,
        object: Object,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let _ = (gvr, namespace, name, object, options);
        Err(Status::no_such_resource())
    }

    /// Changes an object; an apply creates it where it is absent.
    ///
    /// # Errors
    ///
    /// `Conflict` when an apply meets fields of others; `NotFound`, `Invalid`.
    pub async fn patch(
        &self,
        gvr: &Gvr,
        namespace: &str,
        name: &str,
        patch: Patch,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let _ = (gvr, namespace, name, patch, options);
        Err(Status::no_such_resource())
    }

    /// Deletes an object, or marks it where finalizers or a grace period keep it.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` when a precondition does not hold.
    pub async fn delete(
        &self,
        gvr: &Gvr,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, Status> {
        let _ = (gvr, namespace, name, options);
        Err(Status::no_such_resource())
    }

    /// Deletes every object a list would give.
    ///
    /// # Errors
    ///
    /// The first deletion that failed; those before it stand.
    pub async fn delete_collection(
        &self,
        gvr: &Gvr,
        namespace: Option<&str>,
        which: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<Vec<Object>, Status> {
        let _ = (gvr, namespace, which, options);
        Err(Status::no_such_resource())
    }
}
