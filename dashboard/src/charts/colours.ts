/** The style sheet's colours for canvases, looked up once for each theme. */
import { colour, withColours } from "../theme.ts";

const known = new Map<string, string>();
withColours(() => known.clear());

/** A colour of the style sheet as it is now. `opacity` from 0 to 1. */
export function shade(name: string, opacity = 1): string {
  let found = known.get(name);
  if (found === undefined) known.set(name, (found = colour(name)));
  return opacity === 1 ? found : found.replace("rgb(", "rgba(").replace(")", `, ${opacity})`);
}
