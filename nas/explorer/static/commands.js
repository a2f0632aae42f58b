// Shell commands that bring a network back: `nas show STUDY:TRIAL --storage …`, or by its notation without a storage.

const FOREIGN_REFERENCE = /^[A-Za-z_]\w*(?:\.\w+)*:[A-Za-z_][\w.-]*(?:@\d{1,9}(?:y\d{1,9})?)?$/;
const PLAIN_STUDY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

// The text as one word of a POSIX shell, as Python's shlex.quote.
export function shellQuote(text) {
  const word = String(text);
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

export const isForeign = (notation) => FOREIGN_REFERENCE.test(notation);

// STUDY:TRIAL and its storage's option, or the notation in quotes. `option` null: there is no storage to read.
function referenceWords({ study, option, trial, notation }) {
  if (option != null && trial != null && PLAIN_STUDY_NAME.test(study ?? "")) {
    return { words: `${study}:${trial}`, behind: option ? ` ${option}` : "" };
  }
  return { words: shellQuote(notation), behind: "" };
}

// The command that prints the network; a foreign one, whose inside nas does not know, can only be measured.
export function showCommand(network) {
  const { words, behind } = referenceWords(network);
  return isForeign(network.notation) ? `nas measure ${shellQuote(network.notation)}` : `nas show ${words}${behind}`;
}

// The command that writes the network as a file; "" for a foreign one.
export function exportCommand(network) {
  if (isForeign(network.notation)) return "";
  return `${showCommand(network)} -o ${shellQuote(`${fileStem(network)}.yaml`)}`;
}

// A name for a file of this network, safe everywhere: efficientnetv2-12, efficientnet-b4.
export function fileStem({ study, trial, baseline, name }) {
  const text = trial != null ? `${study}-${trial}` : baseline || name || "network";
  return safeFileName(text);
}

export const safeFileName = (text) =>
  String(text)
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 80) || "network";
