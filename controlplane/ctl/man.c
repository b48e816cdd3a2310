/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "controlplane/ctl/command_table.h"
#include "controlplane/ctl/help.h"
#include "shm/version.h"

/* Text that roff takes for nothing else; `words` become bold. */
static void put(FILE *out, const char *text, size_t bytes)
{
	int is_bold = 0;

	if (bytes > 0 && (text[0] == '.' || text[0] == '\''))
		fputs("\\&", out);
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '`')
			fputs((is_bold = !is_bold) ? "\\fB" : "\\fR", out);
		else if (text[i] == '\\')
			fputs("\\e", out);
		else if (text[i] == '-')
			fputs("\\-", out);
		else
			fputc(text[i], out);
	}
}

static void put_text(FILE *out, const char *text)
{
	put(out, text, strlen(text));
}

/* Lines are filled; those that begin with a blank stay as they are. */
static void put_lines(FILE *out, const char *text)
{
	int is_verbatim = 0;

	while (*text) {
		size_t bytes = strcspn(text, "\n");

		if ((*text == ' ') != is_verbatim) {
			fputs(is_verbatim ? ".fi\n" : ".nf\n", out);
			is_verbatim = !is_verbatim;
		}
		put(out, text, bytes);
		fputc('\n', out);
		text += bytes + (text[bytes] == '\n');
	}
	if (is_verbatim)
		fputs(".fi\n", out);
}

static void put_head(FILE *out, const char *command)
{
	fputs(".TH FENDER", out);
	if (command)
		fputc('-', out);
	for (const char *c = command ? command : ""; *c; c++)
		fputc(toupper((unsigned char)*c), out);
	fprintf(out, " 1 \"\" \"Fender %s\" \"Fender\"\n.SH NAME\nfender%s%s \\- ", FENDER_VERSION,
		command ? "\\-" : "", command ? command : "");
}

static void put_option(FILE *out, const struct option_help *option)
{
	fputs(".TP\n", out);
	if (option->letter)
		fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
	fputs("\\fB\\-\\-", out);
	put_text(out, option->name);
	fputs("\\fR", out);
	if (option->argument) {
		fputs(" \\fI", out);
		put_text(out, option->argument);
		fputs("\\fR", out);
	}
	fputc('\n', out);
	put_text(out, option->help);
	fputc('\n', out);
}

/* "  0  done\n": status, sentence. */
static void put_statuses(FILE *out, const char *text)
{
	fputs(".SH EXIT STATUS\n", out);
	while (*text) {
		size_t bytes = strcspn(text, "\n");
		const char *status = text + strspn(text, " ");
		size_t digits = strspn(status, "0123456789");
		const char *sentence = status + digits + strspn(status + digits, " ");

		fprintf(out, ".TP\n.B %.*s\n", (int)digits, status);
		put(out, sentence, (size_t)(text + bytes - sentence));
		fputc('\n', out);
		text += bytes + (text[bytes] == '\n');
	}
}

void man_print(const struct command *command, FILE *out)
{
	struct option_help option;

	put_head(out, command->name);
	put_text(out, command->summary);
	fprintf(out, "\n.SH SYNOPSIS\n.B fender %s\n[\\fIOPTIONS\\fR]", command->name);
	if (command->operand) {
		fputs(" \\fI", out);
		put_text(out, command->operand);
		fputs("\\fR", out);
	}
	fputs("\n.SH DESCRIPTION\n", out);
	put_lines(out, *command->text ? command->text : command->summary);
	fputs(".SH OPTIONS\n", out);
	for (size_t i = 0; options_describe(command, i, &option); i++)
		put_option(out, &option);
	put_statuses(out, command->exit_help);
	fputs(".SH SEE ALSO\n.BR fender (1)\n", out);
}

static const char tail[] =
	".SH EXIT STATUS\n"
	".TP\n.B 0\ndone\n"
	".TP\n.B 1\nfailed; the reason is on stderr\n"
	".TP\n.B 2\nwrong usage\n"
	".TP\n.B 3\nno such instance, or it does not answer\n"
	".SH ENVIRONMENT\n"
	".TP\n.B COLUMNS\nhow wide tables may be; otherwise as the terminal, or 80\n"
	".TP\n.B NO_COLOR\nno colours, if it is not empty; without a terminal there are none "
	"either\n"
	".SH FILES\n"
	".TP\n.I /run/fender/INSTANCE.sock\nwhat the commands of an operator talk to\n"
	".TP\n.I /run/fender/INSTANCE.sock.ro\nthe same for those who may look only\n"
	".TP\n.I /dev/shm/fender\\-INSTANCE\nthe shared region\n";

void man_print_commands(FILE *out)
{
	put_head(out, NULL);
	fputs("a sidecar proxy with a DPDK fast path\n"
	      ".SH SYNOPSIS\n.B fender\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
	      ".SH DESCRIPTION\n"
	      "\\fBfender run\\fR is the control plane of one instance: it compiles the policy "
	      "and\n"
	      "starts and watches the dataplane. The other commands ask an instance that runs, or\n"
	      "need none.\n"
	      ".SH COMMANDS\n",
	      out);
	for (size_t i = 0; i < command_count; i++) {
		fprintf(out, ".TP\n.BR fender\\-%s (1)\n", commands[i].name);
		put_text(out, commands[i].summary);
		fputc('\n', out);
	}
	fputs(tail, out);
}
