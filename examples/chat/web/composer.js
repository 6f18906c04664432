// The message box: Enter sends, Shift+Enter makes a new line, Escape ends an
// edit, and arrow up edits the last own message.

const $ = (id) => document.getElementById(id);
const box = $("text");

export class Composer {
  #editing = null; // the offset of the message that is being edited
  #limit;

  /**
   * `submit(text, offset)` gets what was written, with an offset if it is to
   * replace a message; `typed()` hears of each keystroke; `lastOwn()` gives the
   * line of the message to edit; `limit()` how long a message may be.
   */
  constructor({ submit, typed, lastOwn, limit }) {
    this.#limit = limit;

    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = box.value.trim();
      const offset = this.#editing;
      if (!text) return;
      this.text = "";
      submit(text, offset);
    });

    box.addEventListener("keydown", (event) => {
      if (event.isComposing) return; // Enter chooses a word there
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        $("composer").requestSubmit();
      } else if (event.key === "Escape" && this.#editing) {
        this.text = "";
      } else if (event.key === "ArrowUp" && !box.value) {
        const line = lastOwn();
        if (!line) return;
        event.preventDefault();
        this.edit(Number(line.dataset.offset), line.querySelector(".text").textContent);
      }
    });

    box.addEventListener("input", () => {
      this.#fit();
      if (box.value && !this.#editing) typed();
    });

    $("cancel-edit").addEventListener("click", () => {
      this.text = "";
      box.focus();
    });
  }

  /** What is written and not sent, edits apart. */
  get text() {
    return this.#editing ? "" : box.value;
  }

  /** Sets what is written; ends an edit. */
  set text(text) {
    this.#editing = null;
    $("editing").hidden = true;
    box.value = text;
    this.#fit();
  }

  /** Puts a text back that could not be sent, unless there is another. */
  giveBack(text) {
    if (!box.value) this.text = text;
  }

  edit(offset, text) {
    this.text = text;
    this.#editing = offset;
    $("editing").hidden = false;
    box.focus();
  }

  /** Where there is a keyboard anyway; elsewhere it would pop up. */
  focus() {
    if (matchMedia("(hover: hover)").matches) box.focus();
  }

  // fit makes the box as high as its text, and counts when that gets long.
  #fit() {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight + 2}px`;
    const limit = this.#limit() || 1000;
    const length = [...box.value].length;
    $("count").textContent = length > limit * 0.8 ? `${length} / ${limit}` : "";
    $("count").classList.toggle("over", length > limit);
  }
}
