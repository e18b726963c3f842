/** @file The frame of every page: style, fonts and the icon inside it, and a policy under which it fetches nothing. */

import { embeddedFontFaces } from "../fonts.ts";
import { type Html, html, trusted } from "../html.ts";
import { contentSecurityPolicy, script } from "./script.ts";
import { styleSheet } from "./style.ts";

/** The whole document as text. */
export function documentOf(title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${contentSecurityPolicy}">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${trusted(styleSheet(embeddedFontFaces()))}</style>
</head>
<body>
${body}
<script>${trusted(script)}</script>
</body>
</html>
`.markup;
}
