/** A token as a chip. Its label has nothing hidden in it; direction is kept from leaking out. */
import { html } from 'lit';
import type { Label } from '../model/label';

export const tokenChip = ({ text, name }: Label) =>
  html`<code class=${name ? 'token name' : 'token'} dir="ltr">${text}</code>`;
