//! The plugin `mq-delivery`: what is lost, done twice or never done when a worker or a broker dies.
//!
//! A check is a file. [`amqp`] speaks to the broker, [`worker`] starts and kills the learner's program, and [`effects`] looks
//! at what was done, another way than by asking it.

mod ack_redeliver;
mod amqp;
mod amqp_durable;
mod async_accept;
mod celery;
mod celery_reliable;
mod celery_retry;
mod effects;
mod login;
mod redis;
mod request;
mod trouble;
mod worker;

use mustdo_plugin::{Plugin, Text};

/// The plugin and its checks.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "mq-delivery",
        env!("CARGO_PKG_VERSION"),
        Text::new("Message queues", "消息队列"),
        Text::new(
            "What is lost, done twice or never done when a worker or a broker dies",
            "worker 或消息服务器死掉时，什么会丢、做两遍或者没人做",
        ),
    )
    .license(env!("CARGO_PKG_LICENSE"))
    .check::<ack_redeliver::AckRedeliver>()
    .check::<amqp_durable::AmqpDurable>()
    .check::<async_accept::AsyncAccept>()
    .check::<celery_reliable::CeleryReliable>()
    .check::<celery_retry::CeleryRetry>()
}

mustdo_plugin::export!(plugin);
