<?xml version="1.0"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="html" indent="yes"/>
  <xsl:key name="town" match="person" use="town"/>
  <xsl:template match="/people">
    <html><body>
      <xsl:for-each select="person[generate-id()=generate-id(key('town',town)[1])]">
        <xsl:sort select="town"/>
        <h2><xsl:value-of select="town"/> (<xsl:value-of select="count(key('town',town))"/>)</h2>
        <table>
          <xsl:apply-templates select="key('town',town)">
            <xsl:sort select="age" data-type="number" order="descending"/>
            <xsl:sort select="name"/>
          </xsl:apply-templates>
        </table>
        <p><xsl:value-of select="sum(key('town',town)/age) div count(key('town',town))"/></p>
      </xsl:for-each>
    </body></html>
  </xsl:template>
  <xsl:template match="person">
    <tr>
      <xsl:if test="contains(name,'ka')"><xsl:attribute name="class">k</xsl:attribute></xsl:if>
      <td><xsl:value-of select="translate(name,'abcdef','ABCDEF')"/></td>
      <td><xsl:value-of select="format-number(age * 12,'#,##0')"/></td>
      <td><xsl:value-of select="concat(substring-before(mail,'@'),' at ',substring-after(mail,'@'))"/></td>
    </tr>
  </xsl:template>
</xsl:stylesheet>
