// Text and bytes: QuickJS is the language without a browser's or Node's objects, so there is no TextEncoder.

/** The bytes of a text. A lone surrogate, which no text should hold, becomes U+FFFD as in the Encoding standard. */
export function encode(text) {
  const bytes = [];
  for (const character of text) {
    let code = character.codePointAt(0);
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return Uint8Array.from(bytes);
}

/** The text of bytes; what is not UTF-8 becomes U+FFFD, as in the Encoding standard. */
export function decode(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++];
    const more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1;
    let code = more < 0 ? 0xfffd : more === 0 ? first : first & (0x3f >> more);
    for (let left = more; left > 0; left--) {
      // The second byte has bounds of its own: no detours, no surrogates, nothing above U+10FFFF (Unicode, table 3-7).
      const low = left === more ? ({ 0xe0: 0xa0, 0xf0: 0x90 }[first] ?? 0x80) : 0x80;
      const high = left === more ? ({ 0xed: 0x9f, 0xf4: 0x8f }[first] ?? 0xbf) : 0xbf;
      if (!(bytes[at] >= low && bytes[at] <= high)) {
        code = 0xfffd;
        break;
      }
      code = (code << 6) | (bytes[at++] & 0x3f);
    }
    text += String.fromCodePoint(code);
  }
  return text;
}
