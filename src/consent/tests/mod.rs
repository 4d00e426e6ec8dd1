//! The promises of the room.
