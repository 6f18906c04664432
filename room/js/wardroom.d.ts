/**
 * Types of wardroom.js, the browser client for wardroom servers (protocol
 * wardroom.v1). Objects that come from the server keep the field names of the
 * wire protocol. All times and delays are in milliseconds; `at` and the like
 * are milliseconds since the Unix epoch.
 */

/** The error codes of the protocol, and the client's own. */
export type ErrorCode =
  | "bad_request" | "invalid_json" | "invalid_utf8" | "too_large" | "too_deep" | "too_many_elements" | "too_many_keys"
  | "duplicate_key" | "invalid_room" | "invalid_event" | "unauthenticated" | "token_expired" | "forbidden" | "not_member"
  | "already_exists" | "room_full" | "too_many_rooms" | "too_many_connections" | "rate_limited" | "muted" | "banned"
  | "conflict" | "origin_forbidden" | "unsupported_call" | "unavailable" | "timeout" | "internal"
  /** The connection was lost, or is not there; the server may or may not have acted. */
  | "disconnected"
  /** `close()` was called. */
  | "closed"
  /** More waits for the server than `maxPending` or `maxPendingBytes` allow. */
  | "outbox_full"
  /** The server ended the session (close code 4004). */
  | "revoked"
  /** The server closed after repeated abuse of its limits (4008). */
  | "policy_violation"
  /** Another connection took the place of this one (4009). */
  | "replaced"
  | (string & {});

/** Everything that this module rejects with, except for wrong use (TypeError). */
export class WardroomError extends Error {
  constructor(
    code: ErrorCode,
    message: string,
    details?: { retryAfter?: number; id?: string; closeCode?: number; cause?: unknown },
  );
  readonly name: "WardroomError";
  readonly code: ErrorCode;
  /** When it makes sense to try again; 0 when waiting does not help. */
  readonly retryAfter: number;
  /** Finds the cause in the server's log. */
  readonly id?: string;
  /** The WebSocket close code, when the connection ended with one. */
  readonly closeCode?: number;
}

/** Why a token is asked for. */
export interface TokenRequest {
  reason: "connect" | "reconnect" | "expiring";
  /**
   * The last token has expired, is about to, or may have been refused (a page
   * cannot tell a refused handshake from a broken network). Get a new one;
   * return the old one only if you know that it is still good.
   */
  fresh: boolean;
}

export interface ReconnectOptions {
  /** The ceiling of the first delay; it doubles with each failure. Default 500. */
  base?: number;
  /** The highest ceiling. Default 30,000. */
  cap?: number;
  /** Failures in a row before the client gives up. Default: never. */
  maxAttempts?: number;
}

export interface ClientOptions {
  /**
   * Gives the token for each attempt to connect and each renewal. Nothing
   * (`null`, `""`) means that nobody is signed in: the client stops with
   * `unauthenticated`. A rejection counts as a failed attempt.
   */
  token?: string | ((request: TokenRequest) => string | null | undefined | Promise<string | null | undefined>);
  /**
   * How the token travels. Default `"subprotocol"` (`bearer.T`, next to
   * `wardroom.v1.json`). `"query"` and `"frame"` work only where the host
   * allowed them. With `"cookie"` the browser sends its cookies, and `token`
   * is asked for renewals only.
   */
  tokenVia?: "subprotocol" | "query" | "frame" | "cookie";
  /** `false`: stop at the first loss. */
  reconnect?: ReconnectOptions | boolean;
  /** From the start of an attempt to the welcome. Default 15,000. */
  connectTimeout?: number;
  /** For the answer to a request. Default 15,000. */
  requestTimeout?: number;
  /** For an answer from a server that fell silent. Default 10,000. */
  pingTimeout?: number;
  /** Requests without an answer, sent or waiting. Default 256. */
  maxPending?: number;
  /** Their size together, in bytes (about). Default 16 MiB. */
  maxPendingBytes?: number;
  /** The WebSocket class, where there is no global one (Node.js before 22). */
  WebSocket?: new (url: string, protocols: string[]) => any;
}

/**
 * `idle` before `connect()`; `connecting` until the first welcome; `online`;
 * `reconnecting` after a loss; `offline` when, besides, the browser says that
 * there is no network; `closed` when the client stays away by itself.
 */
export type State = "idle" | "connecting" | "online" | "reconnecting" | "offline" | "closed";

export interface StateChange {
  state: State;
  previous: State;
  /** Failures in a row. */
  attempt: number;
  /** When the next attempt starts, while the client waits for it. */
  retryAt?: number;
  /** What the client waits because of, or is closed for. */
  error?: WardroomError;
}

export interface Welcome {
  type: "welcome";
  connection: string;
  session: string;
  user: string;
  name?: string;
  at: number;
  expires_at?: number;
  heartbeat_ms: number;
  /** The size and rate limits that apply to this connection. */
  limits: Record<string, number>;
}

export interface Session {
  user: string;
  expires_at?: number;
}

export type Permission = "public" | "private" | "restricted" | "owner_only";
/** `offline` means invisible to others. */
export type Status = "online" | "away" | "offline";
export type Meta = Record<string, unknown>;

export interface Member {
  user: string;
  name?: string;
  status: Status;
  meta?: Meta;
  since: number;
  /** As of the last listing: it is not kept up to date. */
  connections: number;
}

export interface Position {
  epoch: string;
  offset: number;
}

export interface Message<T = any> {
  room: string;
  /** Absent means `message`. */
  event?: string;
  /** A JSON value, or a Uint8Array when bytes were published. Absent when redacted. */
  data: T;
  /** A user ID, or the name of a system sender; absent when the host published it without one. */
  from?: string;
  at: number;
  /** Its place in the room's log, where it has one. */
  offset?: number;
  epoch?: string;
  /** The idempotency key of the sender. */
  id?: string;
  /** Its data was taken away. */
  redacted?: boolean;
  /** It was missed while the connection was lost, and came with the rejoin. */
  replayed?: boolean;
}

/** A change to the message at offset `target`. */
export interface Change<T = any> {
  room: string;
  target: number;
  /** The new data, on `edited`. */
  data?: T;
  from?: string;
  at: number;
  offset: number;
  epoch: string;
}

export interface Published {
  /** Absent in rooms without history and for ephemeral messages. */
  offset?: number;
  epoch?: string;
  at: number;
  /** It was stored before; this is the place of the first one. */
  duplicate?: boolean;
  id?: string;
}

export interface PublishOptions {
  /** Default `message`. */
  event?: string;
  /** `false`: ephemeral (typing, cursors); sent only if the room is connected right now. */
  store?: boolean;
  /** `false`: not to this connection. */
  echo?: boolean;
  /**
   * The idempotency key, up to 64 characters. In rooms with history one is
   * made up; give your own to try again after a `timeout`.
   */
  id?: string;
}

export interface Settings {
  room: string;
  permission: Permission;
  owner?: string;
  roles?: string[];
  /** Only for those who may change it. */
  invited?: string[];
  max_members?: number;
  version?: number;
  created_at?: number;
}

export interface SettingsChange {
  permission?: Permission;
  roles?: string[];
  invited?: string[];
  max_members?: number;
}

export interface HistoryOptions {
  /** Messages before this offset, the nearest ones. */
  before?: number;
  /** Messages after this offset, the nearest ones. */
  after?: number;
  limit?: number;
}

export interface HistoryPage<T = any> {
  /** Oldest first. */
  messages: Message<T>[];
  epoch: string;
  /** Whether there is more in the same direction. */
  more: boolean;
}

export interface MembersPage {
  members: Member[];
  /** Continues with `after`; absent on the last page. */
  next?: string;
}

export interface Joined {
  room: string;
  user: string;
  name?: string;
  at: number;
}

export interface Left extends Joined {
  reason?: "left" | "disconnected" | "timeout" | "kicked" | "banned" | "access_revoked";
}

export interface PresenceUpdate {
  room: string;
  user: string;
  status: Status;
  meta?: Meta;
  at: number;
}

export interface Removal {
  room: string;
  code: ErrorCode;
  reason?: string;
}

/** What the room could not replay: everything after `since`, up to `offset` at most. */
export interface Gap {
  since: Position | null;
  epoch?: string;
  offset?: number;
}

export interface ModerationOptions {
  reason?: string;
  /** How long a ban or mute lasts. Default: until it is lifted. */
  for_ms?: number;
}

export interface ModerationResult {
  room: string;
  user: string;
}

export interface RoomEvents {
  /** A message without an event of its own. One with event NAME comes as `event:NAME`. */
  message: Message;
  [event: `event:${string}`]: Message;
  edited: Change;
  redacted: Change;
  /** A user, not a connection, came. */
  joined: Joined;
  left: Left;
  presence: PresenceUpdate;
  /** `members` changed in any way. */
  members: ReadonlyMap<string, Member>;
  /** The settings changed. */
  updated: Settings;
  /** The room is gone, and you are out of it. */
  deleted: { room: string };
  /** You are no longer a member: removed, or refused when rejoining. */
  removed: Removal;
  /** Rejoined, and nothing was missed: `count` entries were replayed before this event. */
  recovered: { count: number };
  /** Rejoined, and something may be missing. Fires before what there is to replay. */
  gap: Gap;
}

/** A room that this client is in. Rooms are made by `client.join`. */
export class Room {
  private constructor();
  readonly name: string;
  /** Whether the room is joined on the present connection. */
  readonly joined: boolean;
  readonly permission: Permission;
  /** By user ID, kept up to date. */
  readonly members: ReadonlyMap<string, Member>;
  /** The cursor for `fetchMembers({ after })` while `members` is not complete. */
  readonly membersNext: string | undefined;
  /** What the join brought (`last`), oldest first; later messages come as events. */
  readonly messages: readonly Message[];
  /** The place of the last message seen; null in rooms without history. */
  readonly position: Position | null;

  /** Calls `listener` on each `event`; returns a function that stops it. */
  on<E extends keyof RoomEvents>(event: E, listener: (detail: RoomEvents[E]) => void): () => void;
  off<E extends keyof RoomEvents>(event: E, listener: (detail: RoomEvents[E]) => void): void;

  /**
   * Publishes any JSON value, or bytes. In a room with history the promise
   * resolves when the message is stored; if the connection breaks, it is sent
   * again after the rejoin, and is never stored twice. Without history, or
   * with `store: false`, it is sent at most once.
   */
  publish(data: unknown, options?: PublishOptions): Promise<Published>;
  /** Replaces the data of the message at offset `target`. */
  edit(target: number, data: unknown): Promise<{ offset: number; at: number }>;
  /** Takes the data of the message at offset `target` away for everyone. */
  redact(target: number, options?: { reason?: string }): Promise<{ offset: number; at: number }>;
  /** Calls the host's handler for `event` in this room. */
  call<T = any>(event: string, data?: unknown): Promise<T>;
  history<T = any>(options?: HistoryOptions): Promise<HistoryPage<T>>;
  /** One page of members, which is also merged into `members`. */
  fetchMembers(options?: { after?: string; limit?: number }): Promise<MembersPage>;
  /** This user's presence in this room; restored after a reconnect. */
  presence(status: Status, meta?: Meta): Promise<{ status: Status }>;

  settings(): Promise<Settings>;
  update(settings: SettingsChange): Promise<Settings>;
  delete(): Promise<{ room: string }>;

  invite(user: string, options?: ModerationOptions): Promise<ModerationResult>;
  uninvite(user: string, options?: ModerationOptions): Promise<ModerationResult>;
  kick(user: string, options?: ModerationOptions): Promise<ModerationResult>;
  ban(user: string, options?: ModerationOptions): Promise<ModerationResult>;
  unban(user: string, options?: ModerationOptions): Promise<ModerationResult>;
  mute(user: string, options?: ModerationOptions): Promise<ModerationResult>;
  unmute(user: string, options?: ModerationOptions): Promise<ModerationResult>;

  /** Leaves the room: at once on this side, whatever the connection does. Never rejects. */
  leave(): Promise<void>;
}

export interface ClientEvents {
  state: StateChange;
  /** A connection is ready. */
  welcome: Welcome;
  /** The token expires in `in_ms`; the client renews it by itself. */
  expiring: { in_ms: number };
  /** A renewal succeeded. */
  renewed: Session;
  /** The server drains; the client reconnects after the delay. */
  goaway: { reconnect_in_ms: number };
  /** What no promise can report: errors without a request, failed token callbacks. */
  error: WardroomError;
  /** A user's presence in all rooms at once; told to those rooms as well. */
  presence: Omit<PresenceUpdate, "room">;
  /** A message of the host to this user, outside of any room. */
  message: Message;
  [event: `event:${string}`]: Message;
}

/** A connection to a wardroom server that mends itself. */
export class Client {
  /** `url`: `wss:`, `https:` or relative to the page. */
  constructor(url: string | URL, options?: ClientOptions);
  readonly state: State;
  /** The last welcome, or null. */
  readonly welcome: Welcome | null;
  /** The user ID that the server knows this client by, or null. */
  readonly user: string | null;
  /** The rooms by name. A copy. */
  readonly rooms: Map<string, Room>;

  /** Calls `listener` on each `event`; returns a function that stops it. */
  on<E extends keyof ClientEvents>(event: E, listener: (detail: ClientEvents[E]) => void): () => void;
  off<E extends keyof ClientEvents>(event: E, listener: (detail: ClientEvents[E]) => void): void;

  /**
   * Connects, and stays connected from then on. Rejects only when trying on
   * is pointless: `close()` was called, nobody is signed in, or the server
   * told this client to stay away. After that it may be called again, and
   * rejoins the rooms. While the client waits for its next attempt, this ends
   * the wait, unless the server named the delay.
   */
  connect(): Promise<Welcome>;
  /** Ends the connection for good and leaves all rooms. */
  close(): void;

  /**
   * Joins a room, with the newest `last` messages in `room.messages`. Waits
   * for the connection as long as that takes, and rejects with the server's
   * reason. Joining a room twice gives the same Room.
   */
  join(room: string, options?: { last?: number }): Promise<Room>;
  /** Calls the host's handler for `event`. */
  call<T = any>(event: string, data?: unknown): Promise<T>;
  /** Creates a room, which this user then owns. Does not join it. */
  create(room: string, settings?: SettingsChange): Promise<Settings>;
  update(room: string, settings: SettingsChange): Promise<Settings>;
  settings(room: string): Promise<Settings>;
  delete(room: string): Promise<{ room: string }>;
  /** This user's presence in all rooms; restored after a reconnect. */
  presence(status: Status, meta?: Meta): Promise<{ status: Status }>;
  /** The time at the server, and a proof that it is there. */
  ping(): Promise<{ at: number }>;
  /** Any request of the protocol, for what has no method of its own. */
  request<T = any>(type: string, fields?: Record<string, unknown>): Promise<T>;
}
