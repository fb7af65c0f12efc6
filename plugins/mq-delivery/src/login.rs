//! Who logs in at a broker: the parameters that every check of one has, declared once.

/// Declares a struct of parameters that begins with who logs in at the broker, like
/// [`parameters!`](mustdo_plugin::parameters!), and gives it `login`.
macro_rules! logging_in {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $($more:tt)*
        }
    ) => {
        mustdo_plugin::parameters! {
            $(#[doc = $about])*
            pub struct $name {
                /// Who logs in at the broker.
                user: String = "guest".to_owned(),
                /// The password; `{ env = "NAME" }` takes it from a variable.
                password: String = "guest".to_owned(),
                /// The virtual host of AMQP.
                vhost: String = "/".to_owned(),
                $($more)*
            }
        }

        impl $name {
            fn login(&self) -> crate::amqp::Login<'_> {
                crate::amqp::Login { user: &self.user, password: &self.password, vhost: &self.vhost }
            }
        }
    };
}

/// The same for an application of Celery, whose broker may be Redis; gives it `place`, too.
macro_rules! sending_tasks {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $($more:tt)*
        }
    ) => {
        crate::login::logging_in! {
            $(#[doc = $about])*
            pub struct $name {
                /// The queue of the application.
                queue: String = "celery".to_owned(),
                /// What the application has as its broker: `amqp` or `redis`.
                broker: String = "amqp".to_owned(),
                /// The database of Redis.
                #[range(0..=1000)]
                database: u32 = 0,
                $($more)*
            }
        }

        impl $name {
            fn place(&self) -> crate::celery::queue::Place<'_> {
                crate::celery::queue::Place {
                    broker: &self.broker,
                    login: self.login(),
                    database: self.database,
                    name: &self.queue,
                }
            }
        }
    };
}

pub(crate) use {logging_in, sending_tasks};
