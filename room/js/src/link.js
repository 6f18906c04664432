import { isStop } from "./backoff.js";
import { decode } from "./codec.js";
import { fromClose, WardroomError } from "./errors.js";

const SUBPROTOCOL = "wardroom.v1.json";

/**
 * One connection, from asking for a token to its loss. It tells its owner
 * through `hooks`: `frame(envelope)`, `welcome(envelope)` once it is ready,
 * `bad(error)` for a frame that could not be read, and exactly once
 * `lost(error, fatal)`. `ask(fields)` makes a request over this connection.
 */
export class Link {
  onlineSince = 0;
  #options;
  #hooks;
  #socket = null;
  #dead = false;
  #heard = 0; // when the last frame came
  #frames = 0;
  #probing = false;
  #timers = new Set();
  #connectTimer;

  constructor(options, hooks) {
    this.#options = options;
    this.#hooks = hooks;
  }

  get online() {
    return this.onlineSince > 0 && !this.#dead;
  }

  async open(why) {
    const { token: source, tokenVia, connectTimeout, url, WebSocket } = this.#options;
    this.#connectTimer = this.#later(connectTimeout, () =>
      this.#lose(new WardroomError("disconnected", "The server did not answer in time.")),
    );
    let token;
    if (source && tokenVia !== "cookie") {
      try {
        token = typeof source === "function" ? await source(why) : source;
      } catch (cause) {
        return this.#lose(new WardroomError("disconnected", "No token could be fetched.", { cause }));
      }
      if (this.#dead) return;
      if (!token) return this.#lose(new WardroomError("unauthenticated", "Nobody is signed in."), true);
    }

    const address = new URL(url);
    const protocols = [SUBPROTOCOL];
    if (token && tokenVia === "query") address.searchParams.set("token", token);
    if (token && tokenVia === "subprotocol") protocols.push("bearer." + token);
    let socket;
    try {
      socket = this.#socket = new WebSocket(address.href, protocols);
    } catch (cause) {
      // The browser refuses the address or, as a subprotocol, the token.
      return this.#lose(new WardroomError("bad_request", "The browser refused to connect.", { cause }), true);
    }

    // Ready means welcomed, and with a token in the first frame also let in.
    let welcome = null;
    let admitted = tokenVia !== "frame" || !token;
    let refusal = null;
    const ready = () => {
      if (!welcome || !admitted || this.#dead) return;
      this.#cancel(this.#connectTimer);
      this.onlineSince = Date.now();
      this.#watch(2 * (welcome.heartbeat_ms || 25_000));
      this.#hooks.welcome(welcome);
    };
    socket.binaryType = "arraybuffer";
    socket.onerror = () => {}; // the close event that follows says as much
    socket.onopen = async () => {
      if (admitted) return;
      try {
        await this.#hooks.ask({ type: "auth", token });
        admitted = true;
        ready();
      } catch (error) {
        refusal = error; // the close code that follows says what to do
      }
    };
    socket.onmessage = ({ data }) => {
      this.#heard = Date.now();
      this.#frames++;
      let frame;
      try {
        frame = decode(data);
      } catch (cause) {
        return this.#hooks.bad(new WardroomError("bad_request", "The server sent an unreadable frame.", { cause }));
      }
      if (frame.type !== "welcome" || welcome) return this.#hooks.frame(frame);
      welcome = frame;
      ready();
    };
    socket.onclose = ({ code, reason }) => {
      const error = fromClose(code, reason);
      if (refusal) error.cause = refusal;
      this.#lose(error);
    };
  }

  send(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(frame);
  }

  /** Waits; never returns when the connection is lost meanwhile. */
  sleep(ms) {
    return new Promise((resolve) => this.#later(ms, resolve));
  }

  /** Gives the connection up as lost if it stays silent for `wait`. */
  probe(wait) {
    if (this.#probing || !this.online) return;
    this.#probing = true;
    const frames = this.#frames;
    this.#hooks.ask({ type: "ping" }).catch(() => {}); // any frame is proof enough
    this.#later(wait, () => {
      this.#probing = false;
      if (this.#frames === frames) this.#lose(new WardroomError("disconnected", "The server fell silent."));
    });
  }

  /** Ends the connection from this side; `lost` is called before it returns. */
  close(error) {
    this.#lose(error, false);
  }

  // The server's own pings never reach a page, so silence is measured here.
  #watch(idle) {
    this.#later(Math.max(0, this.#heard + idle - Date.now()), () => {
      const silent = Date.now() - this.#heard >= idle;
      if (silent) this.probe(this.#options.pingTimeout);
      if (silent) this.#later(this.#options.pingTimeout, () => this.#watch(idle));
      else this.#watch(idle);
    });
  }

  #later(ms, fn) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  #cancel(timer) {
    clearTimeout(timer);
    this.#timers.delete(timer);
  }

  #lose(error, fatal = isStop(error.closeCode)) {
    if (this.#dead) return;
    this.#dead = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const socket = this.#socket;
    if (socket) {
      // A dead network can hold back the close event for minutes.
      socket.onopen = socket.onmessage = socket.onclose = null;
      if (socket.readyState <= 1) socket.close(1000);
    }
    this.#hooks.lost(error, fatal);
  }
}
