//! The only place that builds SDK clients.
