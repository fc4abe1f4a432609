// A WebSocket to where this page came from; what it sends and receives, octet by octet.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const [section, dot, state, log] = ["console", "dot", "state", "log"].map(byId);
  const [form, line, send, connect, hex] = ["form", "line", "send", "connect", "hex"].map(byId);
  const counts = { out: byId("sent"), in: byId("received") };
  const totals = { out: 0, in: 0 };
  const LONGEST_LOG = 500;
  const LONGEST_ENTRY = 4096;
  let socket = null;

  if (section.dataset.available !== "yes") {
    return;
  }

  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const escaped = (octet) => "\\x" + octet.toString(16).padStart(2, "0");
  const escapedText = (text) => Array.from(new TextEncoder().encode(text), escaped).join("");

  // UTF-8 where it is that, else ASCII; other octets, and what cannot be seen, as \x and two digits.
  function asText(octets) {
    let text = "";
    try {
      text = utf8.decode(octets);
    } catch {
      for (const octet of octets) {
        text += octet < 0x80 ? String.fromCharCode(octet) : escaped(octet);
      }
    }
    return text.replace(/\r/g, "").replace(/[^\n\P{C}]/gu, escapedText).replace(/\n$/, "");
  }

  function asHex(octets) {
    return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join(" ");
  }

  function show(kind, text) {
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    const entry = document.createElement("div");
    entry.className = kind;
    entry.textContent = ({ out: "\u2192 ", in: "\u2190 ", note: "\u00b7 " })[kind] + text;
    log.append(entry);
    while (log.childElementCount > LONGEST_LOG) {
      log.firstElementChild.remove();
    }
    if (atEnd) {
      log.scrollTop = log.scrollHeight;
    }
  }

  function showOctets(kind, octets) {
    totals[kind] += octets.length;
    counts[kind].textContent = totals[kind].toLocaleString();
    const part = octets.subarray(0, LONGEST_ENTRY);
    const more = octets.length > part.length ? ` ... ${octets.length} octets` : "";
    show(kind, (hex.checked ? asHex(part) : asText(part)) + more);
  }

  function setOpen(open, text, bad) {
    dot.className = open ? "dot open" : bad ? "dot bad" : "dot";
    state.textContent = text;
    line.disabled = send.disabled = !open;
    connect.hidden = open || socket !== null;
    if (open) {
      line.focus({ preventScroll: true });
    }
  }

  function open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const where = `${scheme}//${location.host}${location.pathname}`;
    let opened = false;
    socket = new WebSocket(where, "binary");
    socket.binaryType = "arraybuffer";
    setOpen(false, `connecting to ${where}`);
    socket.onopen = () => {
      opened = true;
      setOpen(true, `connected to ${where}`);
    };
    socket.onmessage = (event) => {
      showOctets("in", typeof event.data === "string"
        ? new TextEncoder().encode(event.data) : new Uint8Array(event.data));
    };
    socket.onclose = (event) => {
      socket = null;
      const reason = event.reason ? `: ${event.reason}` : "";
      const text = opened ? `closed with code ${event.code}${reason}` : `could not connect to ${where}`;
      show("note", text);
      setOpen(false, text, !event.wasClean);
    };
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (socket !== null && socket.readyState === WebSocket.OPEN) {
      const octets = new TextEncoder().encode(line.value + "\n");
      socket.send(octets);
      showOctets("out", octets);
      line.value = "";
    }
  });
  connect.addEventListener("click", open);
  // Not by itself: a session may begin with its first connection.
  setOpen(false, "not connected");
})();
