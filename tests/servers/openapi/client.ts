// What a frontend's team writes by hand around the generated types. It holds for every document of the bus: the
// paths differ from system to system, the problems do not.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";
import { calls } from "./calls";

type Problem = components["schemas"]["Problem"];

const client = createClient<paths>({ baseUrl: "https://bus.example/", headers: { "Rabita-User": "official-7" } });

/** Whose fault it is, and whether to come again: what the bus promises to say with every failure. */
export function verdict(problem: Problem): string {
  const again: Record<Problem["retry"], string> = { safe: "now", after: "later", never: "never" };
  const whose: Record<Problem["blame"], string> = { caller: "ours", bus: "the bus's", registry: "the registry's" };
  const places = (problem.errors ?? []).map((error) => error.pointer ?? error.parameter ?? "");
  return `${problem.code}: ${whose[problem.blame]} fault, try ${again[problem.retry]} (${problem.exchange}) ${places.join(" ")}`;
}

export async function catalogue(): Promise<Record<string, unknown>> {
  const { data, error } = await client.GET("/bus/catalogue");
  if (error) throw new Error(verdict(error));
  return data;
}

// A code that the bus doesn't have is a fault that the compiler finds.
// @ts-expect-error
export const unheardOf: Problem["code"] = "no_such_code";

export async function everything(): Promise<string[]> {
  return calls(client, verdict);
}
