// Runs in each page before its own scripts: what a person would find on it.
const seen = {
  visible: (element) => element?.checkVisibility({ visibilityProperty: true, opacityProperty: true }) ?? false,

  /** The list of messages of the room in front. */
  log: () => document.querySelector("#logs > .log:not([hidden])"),
  messages: () => [...seen.log().querySelectorAll('[data-testid="message"]')],
  /** What the messages say, top to bottom. */
  texts: () => seen.messages().map((message) => message.querySelector(".text").textContent),
  /** The message that says text, when there is exactly one. */
  message(text) {
    const found = seen.messages().filter((message) => message.querySelector(".text").textContent === text);
    return found.length === 1 ? found[0] : undefined;
  },
  /** The lines that are no messages: who came and went, what was missed. */
  notes: () => [...seen.log().querySelectorAll(".note")].map((note) => note.textContent),

  member: (user) => document.querySelector(`#member-list [data-user="${CSS.escape(user)}"]`),
  members: () => [...document.querySelectorAll("#member-list [data-user]")].map((member) => member.dataset.user),
  state: () => document.getElementById("connection").dataset.state,
  refusal: () => (seen.visible(document.getElementById("refusal")) ? document.getElementById("refusal-text").textContent : ""),
  toasts: () => [...document.querySelectorAll('[data-testid="toast"]')].map((toast) => toast.textContent),
  box: () => document.getElementById("text"),

  /** The middle of an element that a mouse would hit there, or null. */
  spot(element) {
    if (!seen.visible(element) || element.disabled) return null;
    element.scrollIntoView({ block: "nearest", behavior: "instant" });
    const { left, top, width, height } = element.getBoundingClientRect();
    const [x, y] = [left + width / 2, top + height / 2];
    return element.contains(document.elementFromPoint(x, y)) ? [x, y] : null;
  },

  /** The spot of what find() finds, once it is there and has stopped moving. */
  async still(find) {
    for (let last = ""; ; ) {
      const spot = seen.spot(find());
      if (spot && last === String(spot)) return spot;
      last = String(spot);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },

  /** Resolves when condition() is true. */
  async until(condition) {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 15));
  },
};

addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
