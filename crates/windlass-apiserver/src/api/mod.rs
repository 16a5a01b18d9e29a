//! The Kubernetes API in process: verbs on resources, with everything an API server does around them.

mod accounts;
mod convert;
mod definitions;
mod delete;
mod effects;
mod limits;
mod managed;
mod options;
mod patch;
pub(crate) mod read;
mod rules;
pub(crate) mod scale;
mod selection;
mod versions;
pub(crate) mod watch;
pub(crate) mod write;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use windlass_kube::{Gvk, Object, Str, Value};

use crate::admission::Compiled;
use crate::defaults::ServiceAllocator;
use crate::http::ApiService;
use crate::registry::Registry;
use crate::resource::{Gvr, Resource};
use crate::status::Status;
use crate::store::Store;
use crate::tokens::Tokens;

pub use options::{
    DeleteOptions, Deleted, FieldValidation, ListOptions, ObjectList, Patch, Propagation, UserInfo,
    WatchOptions, WriteOptions, Written,
};
pub use watch::{Watch, WatchEvent};

pub(crate) use managed::field_types;

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
    pub(crate) registry: Registry,
    tokens: Tokens,
    /// The policies that writes are admitted by.
    compiled: Compiled,
    services: Mutex<ServiceAllocator>,
    /// Of each definition that is served, its spec.
    served: Mutex<HashMap<Str, Value>>,
    /// The definitions whose objects are being deleted.
    cleaning: Mutex<HashSet<Str>>,
    /// Held while roles that are sums of others are filled.
    summing: tokio::sync::Mutex<()>,
    /// Whether somebody makes a service account in every namespace.
    has_accounts: AtomicBool,
    /// Held by who accepts names of a definition: one at a time.
    naming: tokio::sync::Mutex<()>,
    /// Whether that is to be done, and nobody has begun yet.
    sums_wanted: AtomicBool,
}

impl Api {
    /// The API over a store, as an administrator; creates what every cluster has from the start.
    ///
    /// # Errors
    ///
    /// When the store cannot be written to.
    pub async fn start(store: Store) -> Result<Self, Status> {
        Self::start_with(store, Vec::new()).await
    }

    /// As [`start`](Self::start); a new store gets these objects as well, in their order, as the field manager
    /// `windlass` applies them. All of it becomes durable at once.
    ///
    /// # Errors
    ///
    /// When the store cannot be written to, and what an object is refused for.
    pub async fn start_with(store: Store, first: Vec<Object>) -> Result<Self, Status> {
        let shared = Shared {
            store,
            registry: Registry::new(),
            tokens: Tokens::new().map_err(Status::internal)?,
            compiled: Compiled::default(),
            services: Mutex::new(ServiceAllocator::new()),
            served: Mutex::default(),
            cleaning: Mutex::default(),
            summing: tokio::sync::Mutex::default(),
            has_accounts: AtomicBool::default(),
            naming: tokio::sync::Mutex::default(),
            sums_wanted: AtomicBool::default(),
        };
        let api = Self {
            shared: Arc::new(shared),
            user: Arc::new(UserInfo::admin("system:admin")),
            field_manager: "windlass".into(),
        };
        api.recall();
        let store = api.store().clone();
        store.together(api.bootstrap(first)).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            Status::internal(format!("{error}: {cause}"))
        })??;
        Ok(api)
    }

    /// Works out from what is stored what else must be known.
    fn recall(&self) {
        {
            let mut services = self.shared.services.lock().expect("no panic under this lock");
            for stored in self.shared.store.table("/services").list(None).objects {
                services.observe(&stored.object().to_value());
            }
        }
        for stored in self.shared.store.table(effects::DEFINITIONS).list(None).objects {
            self.definition_written(&stored);
        }
    }

    /// From now on every namespace gets a service account, so that pods can be asked for theirs.
    pub(crate) fn expect_accounts(&self) {
        self.shared.has_accounts.store(true, Ordering::Release);
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

    /// The API as a service of HTTP requests, as this handle's user: what a Kubernetes client can be built
    /// on without a socket.
    #[must_use]
    pub fn service(&self) -> ApiService {
        ApiService::new(self.clone())
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.shared.tokens
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.shared.compiled
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// The resource that holds objects of a kind; `None` while no such kind is served.
    #[must_use]
    pub fn resource_for(&self, gvk: &Gvk) -> Option<Arc<Resource>> {
        self.shared.registry.by_kind(gvk)
    }

    /// Every resource that is served, at each of its versions.
    #[must_use]
    pub fn resources(&self) -> Vec<Arc<Resource>> {
        self.shared.registry.current().iter().cloned().collect()
    }

    /// Reads one object. The namespace is empty for cluster-scoped resources.
    ///
    /// # Errors
    ///
    /// `NotFound`, in the server's words.
    pub fn get(&self, gvr: &Gvr, namespace: &str, name: &str) -> Result<Object, Status> {
        let resource = self.resource(gvr)?;
        Ok(read::presented(&resource, &*self.stored(&resource, namespace, name)?))
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
        self.list_objects(&*self.resource(gvr)?, namespace, options)
    }

    /// Follows the objects of a namespace, or of all with `None`.
    ///
    /// # Errors
    ///
    /// `Expired` when the resource version is too old.
    pub fn watch(&self, gvr: &Gvr, namespace: Option<&str>, options: &WatchOptions) -> Result<Watch, Status> {
        self.watch_on(self.resource(gvr)?, namespace, options)
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
        self.create_on(&self.resource(gvr)?, namespace, object.into_value(), options).await
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
        self.update_on(&self.resource(gvr)?, namespace, name, object.into_value(), options).await
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
        self.patch_on(&self.resource(gvr)?, namespace, name, &patch, options).await
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
        self.delete_on(&self.resource(gvr)?, namespace, name, options).await
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
        self.delete_collection_on(&self.resource(gvr)?, namespace, which, options).await
    }
}
