//! TLS, as far as a client has to speak it to judge a server.

mod crypto;
