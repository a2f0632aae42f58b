// Who hears of changes, and when: the plot and its controls in the next frame, the panels right after that frame is
// painted, each at most once a frame.

export class Newsroom {
  constructor() {
    this.listeners = [[], []];
    this.pending = [nothing(), nothing()];
    this.frame = 0;
    this.later = false; // whether those who listen from now on hear after the frame
  }

  listen(listener) {
    this.listeners[this.later ? 1 : 0].push(listener);
  }

  add(data, keys) {
    for (const change of this.pending) {
      change.data ||= data;
      for (const key of keys) change.keys.add(key);
    }
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.tell(0);
      setTimeout(() => this.tell(1));
    });
  }

  tell(turn) {
    const change = this.pending[turn];
    this.pending[turn] = nothing();
    if (!change.data && !change.keys.size) return;
    for (const listener of this.listeners[turn]) {
      try {
        listener(change);
      } catch (error) {
        console.error(error); // one part that fails must not keep the others from being drawn
      }
    }
  }
}

const nothing = () => ({ data: false, keys: new Set() });
