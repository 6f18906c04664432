/**
 * wardroom: the browser client for wardroom servers (protocol wardroom.v1).
 *
 *     import { Client } from "/js/wardroom.js";
 *
 *     const client = new Client("/ws", { token: () => fetchToken() });
 *     await client.connect();
 *     const room = await client.join("lobby", { last: 50 });
 *     room.on("message", (m) => show(m.from, m.data));
 *     await room.publish("Hello");
 *
 * Objects that come from the server keep the field names of the wire protocol
 * (docs/PROTOCOL.md). All times and delays are in milliseconds.
 *
 * @module wardroom
 * @license MIT
 */

import { Client } from "./client.js";
import { WardroomError } from "./errors.js";
import { Room } from "./room.js";

export { Client, Room, WardroomError };
